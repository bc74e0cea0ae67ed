"""Axes: attributes in closed form, steering of an exact denoiser, purity with a known leak."""

import copy
import dataclasses
import json
import shutil
import sys
import warnings

import numpy as np
import pytest
import torch
from lossless import latent_twin, lossless_autoencoder
from PIL import Image
from script import script

from imagespace.axes.activations import activations
from imagespace.axes.directions import components, find_examples, find_unnamed, find_words
from imagespace.axes.finding import find_attribute, training_rows
from imagespace.axes.ica import independent
from imagespace.axes.identity import identity
from imagespace.axes.purity import purity_of, stored_purity
from imagespace.checkpoints import load_model_file, save_model
from imagespace.cli.output import plain_warnings
from imagespace.diffusion.exact import ExactGaussian
from imagespace.diffusion.schedule import RectifiedFlow
from imagespace.diffusion.steering import Steering
from imagespace.errors import UserError
from imagespace.networks.bottleneck import recorded, shifted
from imagespace.pictures.attributes import measure
from imagespace.pictures.folder import read_folder
from imagespace.pictures.png_settings import read_settings
from imagespace.pipeline import Model, from_pixels, load
from imagespace.pipeline.axis import Axis, load_axis, parse_axes


def log_odds(share: float) -> float:
    share = 1e-3 + (1 - 2e-3) * share
    return float(np.log(share / (1 - share)))


def disc(side: int) -> torch.Tensor:
    places = (torch.arange(side) + 0.5) / side - 0.5
    radius = (places[:, None].square() + places[None].square()).sqrt()
    edge = ((radius - 0.3) * side).clamp(-1, 1)  # antialiased
    return edge[None, None]


def test_colours_of_a_flat_picture():
    red, green, blue = 0.2, 0.7, 0.4
    x = torch.tensor([red, green, blue])[None, :, None, None].expand(1, 3, 8, 8) * 2 - 1
    found = measure(x, ("brightness", "greenness", "yellowness"))[0]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    wanted = [log_odds(luma), green - (red + blue) / 2, (red + green) / 2 - blue]
    torch.testing.assert_close(found, torch.tensor(wanted))


def test_density_is_the_length_of_the_outline_whatever_the_size():
    for side in (64, 128):
        assert measure(disc(side), ("density",)).item() == pytest.approx(2 * np.pi * 0.3, rel=0.02)


def test_roundness_tells_a_disc_from_a_square_however_turned():
    square = torch.ones(1, 1, 64, 64)
    square[:, :, 16:48, 16:48] = -1
    places = torch.arange(64) - 31.5
    turned = (places[:, None].abs() + places[None].abs() - 24).clamp(-1, 1)[None, None]
    round_, straight, diagonal = (
        measure(x, ("roundness",)).item() for x in (disc(64), square, turned)
    )
    assert round_ > log_odds(0.95)
    assert max(straight, diagonal) < log_odds(0.15)


def test_steering_a_gaussian_moves_along_the_gradient_alone():
    """For a(x) = A x and M = I, x0_hat + A^T (A A^T)^-1 (target - A x0_hat) in one update."""
    random = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=random, dtype=torch.float64)  # noqa: E731
    rows, x_t, t = draw(2, 6), draw(3, 6), torch.tensor(0.5, dtype=torch.float64)
    exact = ExactGaussian(RectifiedFlow(), draw(6), 0.7)
    wanted = draw(3, 2)
    bounds = (wanted[None], wanted[None])
    units = torch.ones(2, dtype=torch.float64)
    steering = Steering(exact, lambda x: x @ rows.T, [1.0], bounds, units, are_pixels=False)
    x_0, moved = exact(x_t, t), steering(x_t, t)
    closed = x_0 + (wanted - x_0 @ rows.T) @ torch.linalg.pinv(rows).T
    torch.testing.assert_close(moved @ rows.T, wanted, atol=0.011, rtol=0)
    torch.testing.assert_close(moved, closed, atol=0.02, rtol=0)
    # Within its slack nothing moves: the very bits.
    slack = (x_0 @ rows.T - 1)[None], (x_0 @ rows.T + 1)[None]
    held = Steering(exact, lambda x: x @ rows.T, [1.0], slack, units, are_pixels=False)
    assert torch.equal(held(x_t, t), x_0)


def test_bounds_are_interpolated_between_the_times_of_the_walk():
    bound = torch.tensor([0.0, 2.0, 6.0])[:, None, None]
    exact = ExactGaussian(RectifiedFlow(), torch.zeros(1), 1.0)
    steering = Steering(exact, lambda x: x, [1.0, 0.5, 0.1], (bound, bound), torch.ones(1), False)
    x_t = torch.tensor([[0.3]])
    for t, wanted in ((1.0, 0.0), (0.75, 1.0), (0.3, 4.0), (0.1, 6.0)):
        assert steering(x_t, torch.tensor(t)).item() == pytest.approx(wanted, abs=0.011)


def some_axis(units: tuple[float, ...] = (1.0, 2.0)) -> Axis:
    return Axis(
        name="brightness",
        model_sha256="0123",
        data_key="",
        num_pictures=2,
        attributes=("brightness", "density"),
        means=(0.0, 0.0),
        units=units,
    )


def test_purity_of_a_generator_with_a_known_leak():
    """Density follows at 0.2 of its unit for each unit of brightness; one picture in four falls."""
    values = torch.arange(-3.0, 4.0)[:, None].expand(7, 4).clone()
    values[4, 0] = values[3, 0] - 0.1
    found = purity_of(some_axis(), torch.stack([values, 2 * 0.2 * values], dim=2))
    assert found.monotone == 0.75
    assert found.moved == pytest.approx((6.0, 1.2), abs=1e-5)
    assert found.leak == pytest.approx(1.2 / 6, abs=1e-5)


def test_an_attribute_that_rises_and_returns_has_strayed_and_not_moved():
    """Density goes up by 0.8 of its unit of 2 and back, in one picture of two by a half."""
    brightness = torch.arange(-3.0, 4.0)[:, None].expand(7, 2)
    arch = torch.tensor([0.0, 0.2, 0.6, 0.8, 0.6, 0.2, 0.0])[:, None] * torch.tensor([1.0, 0.5])
    found = purity_of(some_axis(), torch.stack([brightness, 2 * arch], dim=2))
    assert found.moved == pytest.approx((6, 0), abs=1e-6)
    assert found.drift == pytest.approx((6, (0.8 + 0.4) / 2), abs=1e-6)
    assert found.leak == pytest.approx(0.6 / 6, abs=1e-6)


def with_brightness(model, shapes_folder, tmp_path, monkeypatch):
    """A model of 16 px with its brightness axis, which lies in the folder `axes`."""
    monkeypatch.setattr(
        "imagespace.pipeline.turning.axes_folder", lambda source, sha256: tmp_path / "axes"
    )
    axis = find_attribute(model, read_folder(shapes_folder, 16, 1), "brightness")
    axis.save(tmp_path / "axes" / "brightness.safetensors")
    return model, axis


@pytest.fixture
def turnable(tiny_model, shapes_folder, tmp_path, monkeypatch):
    return with_brightness(tiny_model, shapes_folder, tmp_path, monkeypatch)


@pytest.fixture(params=["pictures", "latents"])
def turnable_either(request, tiny_run, tiny_model, shapes_folder, tmp_path, monkeypatch):
    """The tiny model or its twin among latents, its brightness, and what it walks among."""
    model = tiny_model
    if request.param == "latents":
        _, model = latent_twin(tiny_run, tiny_model, lossless_autoencoder(mean=0.4, std=0.7))
    return *with_brightness(model, shapes_folder, tmp_path, monkeypatch), request.param


def test_an_axis_moves_its_attribute_by_the_value_and_others_within_the_slack(turnable_either):
    model, axis, _ = turnable_either
    plain = model.generate("a square", 4, num_steps=3, guidance=1).pixels
    names, units = axis.attributes, torch.tensor(axis.units)
    turned = model.generate("a square", 4, num_steps=3, guidance=1, axes={"brightness": -1}).pixels
    between = [
        measure(from_pixels(turned), names)[:, k] - measure(from_pixels(plain), names)[:, k]
        for k in range(len(names))
    ]
    moves = torch.stack(between, dim=1) / units
    assert moves[:, 0].tolist() == pytest.approx([-1.0] * 4, abs=0.1)
    assert moves[:, 1:].abs().max() < 0.15 + 0.1


def wordy(model):
    """A copy whose blocks do something: those of a new network are the identity."""
    network = copy.deepcopy(model.network)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        torch.nn.init.normal_(network.modulation.weight, std=0.1)
    return Model(model.config, network, model.encoder, model.sha256, model.source)


def test_the_bottleneck_is_moved_by_the_shift_and_by_nothing_after(tiny_model):
    network, shape = tiny_model.network, tiny_model.config.network.sample_shape
    x_t = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    denoiser, t = tiny_model.denoiser(["a disc", "a square"]), torch.tensor(0.5)
    with torch.no_grad(), recorded(network) as seen:
        before = denoiser(x_t, t)
        width = seen[0].shape[1:]
        shift = torch.randn(width, generator=torch.Generator().manual_seed(1))
        with shifted(network, shift), recorded(network) as inside:
            moved = denoiser(x_t, t)
        after = denoiser(x_t, t)
    assert width[0] == tiny_model.config.network.num_patches
    torch.testing.assert_close(inside[0], seen[0] + shift)
    assert torch.equal(after, before)
    assert not torch.equal(moved, before)
    with torch.no_grad():
        torch.testing.assert_close(denoiser(x_t, t), before, atol=0, rtol=0)
    assert not any(block._forward_hooks for block in network.blocks)


def test_the_words_axis_at_one_takes_the_bottleneck_from_one_word_to_the_other(
    turnable, shapes_folder, tmp_path
):
    model, _ = turnable
    model = wordy(model)
    pictures = read_folder(shapes_folder, 16, 1)
    axis = find_words(model, pictures, ("a disc", "a square"), "disc-square")
    axis.save(tmp_path / "axes" / "disc-square.safetensors")
    loaded = load_axis(tmp_path / "axes", "disc-square", model.source, model.sha256)
    assert loaded.sha256 == axis.sha256
    assert axis.direction is not None
    assert loaded.direction is not None
    assert torch.equal(loaded.direction, axis.direction)
    x_0 = from_pixels(np.ascontiguousarray(pictures.pixels[training_rows(pictures, 64)]))
    # The mean of the bottleneck under the one word, moved by 1, is the mean under the other.
    first = activations(model, x_0, ["a disc"] * 64)
    second = activations(model, x_0, ["a square"] * 64)
    for way, a, b in zip(axis.direction, first, second, strict=True):
        assert way.abs().max() > 1e-3
        torch.testing.assert_close(a.mean(dim=0) + way, b.mean(dim=0), atol=1e-4, rtol=1e-3)
    with pytest.raises(UserError, match="the same to this model"):
        find_words(model, pictures, ("a disc", "a disc"), "same")
    plain = model.generate("a disc", 1, num_steps=2).pixels
    turned = model.generate("a disc", 1, num_steps=2, axes={"disc-square": 2}).pixels
    assert not np.array_equal(plain, turned)
    assert np.array_equal(plain, model.generate("a disc", 1, num_steps=2).pixels)


def test_examples_point_from_the_first_to_the_second_in_standard_deviations(
    turnable, shapes_folder, tmp_path
):
    model, _ = turnable
    pictures = read_folder(shapes_folder, 16, 1)
    halves = []
    for name in ("square", "line"):
        rows = [i for i, caption in enumerate(pictures.captions) if name in caption]
        halves.append(dataclasses.replace(pictures, pixels=pictures.pixels[rows], captions=rows))
    axis = find_examples(model, pictures, (halves[0], halves[1]), "square-line")
    back = find_examples(model, pictures, (halves[1], halves[0]), "line-square")
    assert axis.direction is not None
    assert back.direction is not None
    torch.testing.assert_close(axis.direction, -back.direction, atol=1e-5, rtol=1e-4)
    # One unit is one standard deviation of the projection, whatever the two sets.
    rows = pictures.indices("train")
    x_0 = from_pixels(np.ascontiguousarray(pictures.pixels[rows]))
    for way, seen in zip(axis.direction, activations(model, x_0, [""] * len(rows)), strict=True):
        scores = seen.flatten(1) @ way.flatten() / way.square().sum()
        assert scores.std().item() == pytest.approx(1, rel=0.02)
    with pytest.raises(UserError, match="the same pictures"):
        find_examples(model, pictures, (halves[0], halves[0]), "same")
    # In another order they meet other noise, and are still the same.
    backwards = dataclasses.replace(halves[0], pixels=halves[0].pixels[::-1])
    with pytest.raises(UserError, match="the same pictures"):
        find_examples(model, pictures, (halves[0], backwards), "same")


def test_components_are_those_of_the_covariance():
    """Two views of normal data whose axes and variances are known."""
    random = torch.Generator().manual_seed(0)
    turn, _ = torch.linalg.qr(torch.randn(5, 5, generator=random))
    spread = torch.tensor([5.0, 3.0, 1.0, 0.1, 0.1])
    data = (torch.randn(4000, 5, generator=random) * spread) @ turn.T
    data = data[:1000]
    ways = components([data, 2 * data], 3, "pca")
    for k in range(3):
        size = ways[0, k].norm().item()
        assert size == pytest.approx(spread[k].item(), rel=0.1)
        assert abs(ways[0, k] @ turn[:, k]).item() / size > 0.98
    torch.testing.assert_close(ways[1], 2 * ways[0], atol=1e-3, rtol=1e-3)


def test_there_are_no_more_components_than_directions():
    """Forty points on a plane in six dimensions: the third component would be rounding."""
    random = torch.Generator().manual_seed(0)
    data = torch.randn(40, 2, generator=random) @ torch.randn(2, 6, generator=random) + 3
    assert components([data], 2, "pca").shape == (1, 2, 6)
    with pytest.raises(UserError, match="--num 3: the pictures vary in 2 directions"):
        components([data], 3, "pca")


def test_ica_undoes_a_mixture_that_pca_cannot():
    random = torch.Generator().manual_seed(0)
    sources = torch.rand(4000, 2, generator=random, dtype=torch.float64) * 12**0.5 - 3**0.5
    angle = torch.tensor(0.6)
    turn = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]]).double()
    white = sources @ turn.T
    found = (independent(white) @ turn).abs()
    assert found.amax(dim=1).min() > 0.995
    assert torch.linalg.matrix_norm(found @ found.T - torch.eye(2)) < 0.1


def test_a_component_of_samples_moves_its_projection_by_the_value(
    turnable_either, shapes_folder, tmp_path
):
    model, _, of = turnable_either
    pictures = read_folder(shapes_folder, 16, 1)
    axis = next(find_unnamed(model, pictures, "pca", of, 2))
    assert axis.name == f"pca-1-{of}"
    axis.save(tmp_path / "axes" / f"{axis.name}.safetensors")
    assert axis.direction is not None
    way = axis.direction.flatten()
    where = []
    for value in (0, 0.5):
        for step in model.walk("a disc", 1, num_steps=3, axes={axis.name: value}):  # noqa: B007
            pass
        where.append((step.x_next.flatten() @ way / way.square().sum()).item())
    assert where[1] - where[0] == pytest.approx(0.5, abs=0.05)
    # One unit is one standard deviation over the training pictures' own samples.
    samples = model.encode(from_pixels(pictures.pixels[pictures.indices("train")]))
    scores = samples.flatten(1) @ way / way.square().sum()
    assert scores.std().item() == pytest.approx(1, rel=0.01)
    other = "latents" if of == "pictures" else "pictures"
    with pytest.raises(UserError, match=f"walks among {of}"):
        next(find_unnamed(model, pictures, "pca", other, 2))
    with pytest.raises(UserError, match="from 1 to 32"):
        next(find_unnamed(model, pictures, "pca", of, 99))


def test_identity_of_pictures_that_stay_and_of_pictures_that_are_swapped():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 1), dtype=np.uint8)
    pixels[1, :, ::2] //= 3
    stayed = identity(np.stack([pixels, pixels, pixels]), 1, None, are_glyphs=False)
    swapped = identity(np.stack([pixels[::-1], pixels, pixels[::-1]]), 1, None, are_glyphs=False)
    assert stayed.cosine == pytest.approx(1)
    assert swapped.cosine == pytest.approx(swapped.of_others)
    assert swapped.of_others < 0.5


def test_a_report_is_kept_with_its_axis_and_changes_no_picture(tmp_path):
    axis = some_axis()
    path = tmp_path / "brightness.safetensors"
    values = torch.arange(-3.0, 4.0)[:, None].expand(7, 4)
    found = purity_of(axis, torch.stack([values, 0.2 * values], dim=2))
    axis.save(path)
    assert stored_purity(path) is None
    axis.save(path, found.model_dump_json())
    assert stored_purity(path) == found
    assert load_axis(tmp_path, "brightness", "tiny", "0123").sha256 == axis.sha256
    assert "rises in 100%" in found.summary
    # A direction has no attribute of its own: all of them are told.
    nameless = axis.model_copy(update={"name": "pca-1", "place": "bottleneck"})
    told = purity_of(nameless, torch.stack([values, 0.2 * values], dim=2))
    assert told.monotone is None
    assert "brightness +6.00, density +0.60" in told.summary


def test_zero_is_the_very_picture_and_a_turned_one_is_redrawn_from_its_settings(turnable, tmp_path):
    model, axis = turnable
    plain = model.generate("a disc", 2, num_steps=2)
    zero = model.generate("a disc", 2, num_steps=2, axes={"brightness": 0})
    assert np.array_equal(plain.pixels, zero.pixels)
    assert plain.settings == zero.settings
    turned = model.generate("a disc", 2, num_steps=2, axes={"brightness": 1.5})
    stored, _ = read_settings(turned.save(tmp_path / "turned.png"))
    assert stored[0]["axes"] == [{"name": "brightness", "value": 1.5, "sha256": axis.sha256}]
    settings = [type(turned.settings[0]).model_validate(one) for one in stored]
    assert np.array_equal(model.draw(settings).pixels, turned.pixels)
    assert not np.array_equal(turned.pixels, plain.pixels)
    # Found anew on other pictures, it is another axis: the picture is not drawn from it.
    axis.model_copy(update={"units": (0.5, *axis.units[1:])}).save(
        tmp_path / "axes" / "brightness.safetensors"
    )
    with pytest.raises(UserError, match="the picture was drawn with"):
        model.draw(settings)


def test_what_cannot_be_turned_is_said_in_one_line(turnable, tmp_path, shapes_folder):
    model, axis = turnable
    with pytest.raises(UserError, match=r"axis 'width'.*Known: brightness"):
        model.settings("a disc", axes={"width": 1})
    with pytest.raises(UserError, match=r"from -6 to \+6"):
        model.settings("a disc", axes={"brightness": 6.5})
    assert parse_axes(["a=-.5", "b-c=+2", "d=3."]) == {"a": -0.5, "b-c": 2, "d": 3}
    for malformed in ("brightness+2", "brightness=", "brightness=.", "brightness=nan", "=1"):
        with pytest.raises(UserError, match="NAME=VALUE"):
            parse_axes([malformed])
    with pytest.raises(UserError, match="twice"):
        parse_axes(["brightness=2", "brightness=-1"])
    with pytest.raises(UserError, match="is of colour"):
        find_attribute(model, read_folder(shapes_folder, 16, 1), "greenness")
    of_others = axis.model_copy(update={"name": "density", "units": (0.1, *axis.units[1:])})
    of_others.save(tmp_path / "axes" / "density.safetensors")
    with pytest.raises(UserError, match="brightness and density: were found on different"):
        model.settings("a disc", axes={"brightness": 1, "density": 1})
    assert len(model.settings("a disc", axes={"brightness": 1, "density": 0})[0].axes) == 1
    path = tmp_path / "axes" / "brightness.safetensors"
    axis.model_copy(update={"model_sha256": "ffff"}).save(path)
    with pytest.raises(UserError, match="found with weights ffff"):
        model.settings("a disc", axes={"brightness": 1})
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UserError, match="not a whole axis"):
        model.settings("a disc", axes={"brightness": 1})


def test_the_command_line_turns_a_grey_model_by_no_colour(refusal):
    assert "greenness" in refusal("axes", "find", "glyphs", "--attribute", "greenness")
    assert "exactly one" in refusal("axes", "find", "glyphs")
    assert "exactly one" in refusal(
        "axes", "find", "glyphs", "--attribute", "density", "--unnamed", "pca"
    )
    assert "neither pca nor ica" in refusal("axes", "find", "glyphs", "--unnamed", "svd")
    assert "none of them" in refusal("axes", "find", "--unnamed", "pca", "--of", "words")
    assert "are of --unnamed" in refusal("axes", "find", "--attribute", "density", "--num", 3)
    assert "is an attribute" in refusal(
        "axes", "find", "--words", "ink", "paper", "--name", "brightness"
    )
    told = refusal("axes", "find", "--words", "ink " * 40, "paper")
    assert "is not at most 80 letters" in told  # before a file of that name fails
    assert "NAME=VALUE" in refusal("generate", "fish", "--axis", "brightness")


@pytest.fixture
def in_run(tiny_model, tmp_path, printed):
    """The small model as RUN in `tmp_path`; runs `imagespace WORDS` there: what it printed."""
    named = {"text_fingerprint": tiny_model.encoder.fingerprint}
    (tmp_path / "RUN").mkdir()
    save_model(
        tmp_path / "RUN" / "model.safetensors",
        tiny_model.network.state_dict(),
        tiny_model.config.model_copy(update=named),
    )
    return lambda *words: printed(*words).out


def test_a_sweep_draws_a_row_for_each_prompt_and_a_column_for_each_value(
    in_run, shapes_folder, tmp_path
):
    in_run("axes", "find", "RUN", "--attribute", "brightness", "--data", shapes_folder)
    words = ("RUN", "--axis", "brightness", "--prompt", "a disc", "--prompt", "a line")
    words += ("--seed", 5, "--steps", 2, "--out", "strip.png")
    assert in_run("axes", "sweep", *words) == "strip.png\n"
    drawn = np.asarray(Image.open(tmp_path / "strip.png").convert("L")).astype(int)
    model = load(tmp_path / "RUN")
    plain = model.generate(["a disc", "a line"], 1, 5, num_steps=2).pixels
    turned = model.generate(["a disc", "a line"], 1, 5, num_steps=2, axes={"brightness": 3}).pixels
    # Cells of 48 px, each pixel three times as large, after gaps of 4 px.
    rows = [4, 4 + (drawn.shape[0] - 4) // 2]
    for top, one, other in zip(rows, plain, turned, strict=True):
        cells = [drawn[top : top + 48, 4 + 52 * k : 52 + 52 * k][1::3, 1::3] for k in range(7)]
        assert np.array_equal(cells[3], one[:, :, 0])
        assert np.array_equal(cells[6], other[:, :, 0])
        light = [cell.mean() for cell in cells]
        assert light == sorted(light)
        assert light[6] > light[0] + 20
    assert drawn.shape[1] == 4 + 7 * 52


def test_a_report_of_one_picture_is_listed(in_run, shapes_folder):
    """There are no two pictures to compare: the figure is left out, and not kept as no number."""
    in_run("axes", "find", "RUN", "--attribute", "density", "--data", shapes_folder)
    turned = ("RUN", "--axis", "density", "--prompt", "a disc", "--num", 1, "--steps", 1)
    assert "nan" not in in_run("axes", "report", *turned)
    assert "1 picture from end to end" in in_run("axes", "list", "RUN")


def test_the_benchmark_of_purity_draws_every_prompt_equally_often(
    in_run, shapes_folder, monkeypatch, capsys
):
    """Fewer pictures than prompts were none, and of three prompts a hundred were 99."""
    in_run("axes", "find", "RUN", "--attribute", "density", "--data", shapes_folder)
    prompts = ("a disc", "a square", "a line")
    said = []
    for num in ("2", "4"):
        words = ["axes_purity", "--model", "RUN", "--axis", "density", "--num", num, "--steps", "1"]
        monkeypatch.setattr(sys, "argv", [*words, "--prompts", *prompts])
        script("benchmarks/axes_purity.py").main()
        said.append(capsys.readouterr().out.splitlines()[-1])
    assert said[0].startswith("3 pictures from end to end")
    assert said[1].startswith("6 pictures from end to end")
    assert "7 values, walks of 1 steps" in said[0]


def test_what_every_value_of_a_sweep_warns_of_is_printed_once(capsys):
    with plain_warnings():
        for message in ("no word", "too long", "no word"):
            warnings.warn(message, stacklevel=1)
    told = capsys.readouterr().err.splitlines()
    assert told == ["imagespace: warning: no word", "imagespace: warning: too long"]


def test_other_pictures_than_those_of_the_training_are_warned_of(
    in_run, printed, shapes_folder, tmp_path
):
    """Units and components would silently be those of any folder."""
    fewer = tmp_path / "fewer"
    shutil.copytree(shapes_folder, fewer, ignore=lambda _, names: {".imagespace"} & set(names))
    rows = (fewer / "metadata.jsonl").read_text().splitlines(keepends=True)
    (fewer / "metadata.jsonl").write_text("".join(rows[:60]))
    file = tmp_path / "RUN" / "model.safetensors"
    tensors, config = load_model_file(file)
    trained = config.model_copy(update={"data_key": read_folder(shapes_folder, 16, 1).key})
    told = []
    for about, data in ((config, fewer), (trained, fewer), (trained, shapes_folder)):
        save_model(file, tensors, about)
        words = ("axes", "find", "RUN", "--attribute", "density", "--data", data, "--overwrite")
        told.append(printed(*words).err)
    assert told[0] == told[2] == ""  # not known what it was trained on; the very pictures
    assert told[1].count("\n") == 1
    assert told[1].startswith("imagespace: warning: these are not the very pictures")


def test_no_axis_is_replaced_unasked(in_run, refusal, shapes_folder, tmp_path):
    """Pictures that were drawn with the axis of before could not be drawn again."""
    data = ("--data", shapes_folder)
    for how in (("--attribute", "density"), ("--unnamed", "pca", "--of", "pictures", "--num", 2)):
        in_run("axes", "find", "RUN", *how, *data)
    before = {file.name: file.read_bytes() for file in (tmp_path / "RUN" / "axes").iterdir()}
    assert "--overwrite" in refusal("axes", "find", "RUN", "--attribute", "density", *data)
    told = refusal("axes", "find", "RUN", "--unnamed", "pca", "--of", "pictures", *data)
    assert "axis pca-1-pictures, pca-2-pictures: is in" in told
    after = {file.name: file.read_bytes() for file in (tmp_path / "RUN" / "axes").iterdir()}
    assert after == before
    in_run("axes", "find", "RUN", "--attribute", "density", *data, "--overwrite")


def test_an_axis_of_other_weights_hides_no_other(in_run, shapes_folder, tmp_path):
    in_run("axes", "find", "RUN", "--attribute", "density", "--data", shapes_folder)
    some_axis().save(tmp_path / "RUN" / "axes" / "brightness.safetensors")
    (tmp_path / "RUN" / "axes" / "broken.safetensors").write_bytes(b"axis")
    first, second, third = in_run("axes", "list", "RUN").splitlines()
    assert first == "brightness  cannot be turned: was found with weights 0123, not these"
    assert second == "broken  cannot be turned: is not a whole axis"
    assert third.startswith("density  length of outlines")


def test_settings_of_before_there_were_axes_can_be_read(tiny_model):
    stored = json.loads(tiny_model.settings("a disc")[0].model_dump_json())
    del stored["axes"]
    assert type(tiny_model.settings("a disc")[0]).model_validate(stored).axes == ()
