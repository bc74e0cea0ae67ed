"""The same loop, walk and samplers learn coins, lines and clouds in the plane."""

import csv
import math

import pytest
import torch
from PIL import Image, ImageDraw

import imagespace
from imagespace.diffusion.objective import ObjectiveConfig
from imagespace.errors import UserError
from imagespace.pictures.scatter import scatter
from imagespace.points import (
    GAUSSIANS_STD,
    HEADS_PROBABILITY,
    POINT_SETS,
    gaussian_centres,
    load_points,
)
from imagespace.recipes import for_points, recipe
from imagespace.training.loop import train
from imagespace.training.point_data import PointData, train_and_held_out


def trained_on(points, folder, num_points_seen=200_000):
    config = for_points(recipe("points", {"budget_images": num_points_seen}), points.shape[1])
    for _ in train(config, PointData(config, points), folder):
        pass
    return imagespace.load(folder)


def test_sets_are_what_they_say():
    coin = load_points("coin", 50_000)
    assert coin.unique().tolist() == [-1, 1]
    error = math.sqrt(HEADS_PROBABILITY * (1 - HEADS_PROBABILITY) / 50_000)
    assert float((coin > 0).float().mean()) == pytest.approx(HEADS_PROBABILITY, abs=4 * error)
    line = load_points("gaussian", 50_000)
    assert float(line.mean()) == pytest.approx(0.3, abs=0.01)
    assert float(line.std()) == pytest.approx(0.5, abs=0.01)
    for num_modes in (8, 25):
        points = load_points(f"gaussians_{num_modes}", 50_000)
        distance, mode = torch.cdist(points, gaussian_centres(num_modes)).min(dim=1)
        # Rayleigh: the mean distance of a plane Gaussian from its centre is std sqrt(pi / 2).
        expected = GAUSSIANS_STD * math.sqrt(math.pi / 2)
        assert float(distance.mean()) == pytest.approx(expected, rel=0.02)
        shares = torch.bincount(mode, minlength=num_modes) / 50_000
        assert float((shares * num_modes - 1).abs().max()) < 0.15
    for name in POINT_SETS:
        assert torch.equal(load_points(name, 100), load_points(name, 100))
        assert not torch.equal(load_points(name, 100), load_points(name, 100, seed=1))
        assert float(load_points(name, 5000).abs().quantile(0.99)) < 2


def test_a_drawing_becomes_points_where_it_is_dark(tmp_path):
    image = Image.new("RGBA", (200, 100), (0, 0, 0, 0))  # transparent is paper
    ImageDraw.Draw(image).rectangle((150, 0, 199, 24), fill=(0, 0, 0, 255))
    image.save(tmp_path / "corner.png")
    points = load_points(str(tmp_path / "corner.png"), 4000)
    # The upper right corner: x from 0.5 to 1, y from 0.25 to 0.5.
    assert float(points[:, 0].min()) >= 0.5
    assert float(points[:, 0].max()) <= 1
    assert float(points[:, 1].min()) >= 0.25
    assert float(points[:, 1].max()) <= 0.5
    torch.testing.assert_close(points.mean(dim=0), torch.tensor([0.75, 0.375]), atol=0.02, rtol=0)


def test_a_list_becomes_its_points(tmp_path):
    (tmp_path / "list.csv").write_text("x,y,z\n1,2,3\n\n-4,5.5,6e-1\n")
    assert load_points(str(tmp_path / "list.csv")).tolist() == [
        [1, 2, 3],
        [-4, 5.5, pytest.approx(0.6)],
    ]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("moon", None, "neither a known set nor a file"),
        ("a.csv", "1,2\n3\n", "line 2"),
        ("a.csv", "1,2\n3,nan\n", "line 2"),
        ("a.csv", "1,2\n3,1e300\n", "scale the points"),
        ("a.txt", "1,2\n", "neither a list nor a drawing"),
        ("a.csv", "x,y\n", "no points"),
        ("a.csv", '1,2\n"' + "3" * 140_000 + "\n", "is no CSV .*field limit"),
        ("a.png", "text", "not a readable picture"),
    ],
)
def test_bad_points_are_named(tmp_path, name, content, says):
    if content is not None:
        name = tmp_path / name
        name.write_text(content)
    with pytest.raises(UserError, match=says):
        load_points(str(name))


def test_a_white_drawing_has_no_points(tmp_path):
    Image.new("L", (20, 20), 255).save(tmp_path / "white.png")
    with pytest.raises(UserError, match="white everywhere"):
        load_points(str(tmp_path / "white.png"))


def test_a_coin_is_learnt(tmp_path):
    model = trained_on(load_points("coin"), tmp_path / "run")
    drawn = model.sample(4000)
    # Three standard errors of 4,000 flips, and what 200,000 points seen leave to learn.
    assert float((drawn > 0).float().mean()) == pytest.approx(HEADS_PROBABILITY, abs=0.05)
    assert float(((drawn.abs() - 1).abs() < 0.2).float().mean()) > 0.95


def test_clusters_are_learnt_and_likely(tmp_path):
    points = load_points("gaussians_8")
    model = trained_on(points, tmp_path / "run", 300_000)
    distance, mode = torch.cdist(model.sample(2000), gaussian_centres(8)).min(dim=1)
    assert torch.bincount(mode, minlength=8).min() > 100
    assert float((distance < 5 * GAUSSIANS_STD).float().mean()) > 0.9
    on, off = model.likelihood(points[:16]), model.likelihood(points[:16] * 0.5)
    assert float((on.log_probability - off.log_probability).min()) > 2
    assert not on.standard_error.any()  # in the plane the trace is exact


@pytest.mark.parametrize(
    "objective",
    [
        {"schedule": "edm", "time_distribution": "edm", "loss_weight": "edm"},
        {"schedule": "rectified_flow", "prediction": "eps", "loss_weight": "eps"},
        {
            "schedule": "cosine",
            "prediction": "v",
            "loss_weight": "v",
            "time_distribution": "uniform",
        },
        {"schedule": "ddpm_linear", "prediction": "eps", "loss_weight": "eps"},
    ],
    ids=lambda o: o["schedule"] + "-" + o.get("prediction", "x0"),
)
def test_every_schedule_and_prediction_draws_what_it_learnt(tmp_path, objective):
    points = load_points("gaussians_8")
    config = recipe("points", {"budget_images": 200_000})
    model = config.model.model_copy(
        update={
            "objective": ObjectiveConfig.model_validate(objective),
            "sampling": config.model.sampling.model_copy(update={"spacing": "karras"}),
        }
    )
    config = config.model_copy(update={"model": model})
    for _ in train(config, PointData(config, points), tmp_path / "run"):
        pass
    drawn = imagespace.load(tmp_path / "run").sample(2000)
    distance, mode = torch.cdist(drawn, gaussian_centres(8)).min(dim=1)
    assert torch.bincount(mode, minlength=8).min() > 80
    # Twice the median of the data itself, std sqrt(2 ln 2).
    assert float(distance.median()) < 2 * GAUSSIANS_STD * math.sqrt(2 * math.log(2))


def test_a_sorted_list_is_held_out_at_random(tmp_path):
    points = torch.linspace(-1, 1, 1000)[:, None]
    train_points, held_out = train_and_held_out(points)
    assert len(held_out) == 100
    assert float(train_points.max()) > 0.98
    assert float(held_out.min()) < -0.8
    both = torch.cat([train_points, held_out]).sort(dim=0).values
    assert torch.equal(both, points)


def test_a_byte_order_mark_is_no_header(tmp_path):
    (tmp_path / "excel.csv").write_bytes("\ufeff1,2\r\n3,4\r\n".encode())
    assert load_points(str(tmp_path / "excel.csv")).tolist() == [[1, 2], [3, 4]]


def test_run_folder_of_points_is_continued_and_drawn(tmp_path):
    points = load_points("two_moons", 2000)
    run = tmp_path / "run"
    config = for_points(recipe("points", {"budget_images": 20_480}), 2)
    events = train(config, PointData(config, points), run)
    for progress in events:
        if progress.step == 5:
            break
    events.close()
    for _ in train(config, PointData(config, points), run):
        pass
    whole = tmp_path / "whole"
    for _ in train(config, PointData(config, points), whole):
        pass
    assert imagespace.load(run).sha256 == imagespace.load(whole).sha256
    with Image.open(next((run / "samples").glob("*.png"))) as picture:
        assert picture.convert("L").getextrema() == (40, 255)


def test_a_point_model_knows_what_it_is_not(tmp_path):
    model = trained_on(load_points("coin", 1000), tmp_path / "run", 2048)
    with pytest.raises(UserError, match="without text"):
        model.generate("fish")
    with pytest.raises(UserError, match="nothing to guide by"):
        model.sample(3, guidance=2.0)
    with pytest.raises(UserError, match="draws points"):
        model.generate()
    with pytest.raises(UserError, match="this model's are 1"):
        model.likelihood(torch.zeros(3, 2))


def test_scatter_puts_points_where_they_are():
    corner = torch.full((50, 2), 1.0)
    sheet = scatter({"one": corner, "both": torch.cat([corner, -corner])}).convert("L")
    assert sheet.getpixel((24 + 312, 24 + 8)) < 150  # upper right of the first panel
    assert sheet.getpixel((24 + 8, 24 + 312)) == 255  # nothing lower left
    assert sheet.getpixel((24 + 344 + 8, 24 + 312)) < 150  # but in the second


def test_drawn_list_is_the_drawn_points(tmp_path, monkeypatch):
    from imagespace.cli import app

    trained_on(load_points("gaussian", 1000), tmp_path / "run", 2048)
    monkeypatch.chdir(tmp_path)
    app(["generate", "--model", "run", "--num", "7", "--out", "x.png"], standalone_mode=False)
    with open("x.csv") as file:
        rows = [float(row[0]) for row in csv.reader(file)]
    with pytest.raises(UserError, match="takes no prompt, start, film"):
        app(["generate", "--model", "run", "--film", "x.webp"], standalone_mode=False)
    with pytest.raises(UserError, match="exists"):
        app(["generate", "--model", "run", "--out", "x.png"], standalone_mode=False)
    app(
        ["generate", "--model", "run", "--num", "7", "--out", "x.png", "--overwrite"],
        standalone_mode=False,
    )
    drawn = imagespace.load("run").sample(7)[:, 0].tolist()
    assert rows == pytest.approx(drawn, rel=1e-4)
