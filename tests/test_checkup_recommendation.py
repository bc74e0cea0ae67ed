"""What the check recommends, and which budgets are too small."""

import re
import shlex

import pytest
import torch
from checked_folder import SPEED, healthy, read_rows, run

from imagespace.checkup import recommendation
from imagespace.checkup.checkup import check_folder
from imagespace.checkup.finding import Finding
from imagespace.checkup.recommendation import (
    Speed,
    budget_finding,
    smaller_network,
    within_budget,
)
from imagespace.diffusion.objective import squared_error
from imagespace.errors import UserError
from imagespace.networks.transformer import training_flops_per_picture
from imagespace.recipes import network_sized, recipe
from imagespace.training.config import RunConfig
from imagespace.training.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("known_machine")


def test_the_recommendation_follows_the_recipes(tmp_path, encoder):
    folder = healthy(tmp_path / "a")
    recommended = check_folder(folder, encoder).recommendation
    assert recommended is not None
    assert (recommended.network.image_size_px, recommended.network.num_channels) == (64, 3)
    assert recommended.config.recipe == "pictures"
    assert recommended.num_training == 110
    smaller = check_folder(folder, encoder, image_size_px=32).recommendation
    assert smaller is not None
    assert smaller.network.image_size_px == 32
    with pytest.raises(UserError, match="--size 33"):
        check_folder(folder, encoder, image_size_px=33)


def test_the_estimate_is_of_products_and_of_all_else(monkeypatch):
    """Times add up: halving the products' rate adds just their time once more."""
    config = recipe("pictures", {"budget_images": 1000, "budget_minutes": None})
    network = config.model.network
    muon_flops = recommendation._MUON_CUBES * network.depth * network.width**3
    products = training_flops_per_picture(network) + muon_flops / config.training.batch_size
    rate, _ = recommendation.estimate(config, SPEED)
    slower, _ = recommendation.estimate(config, Speed(torch.float32, 5e10))
    assert 1 / slower - 1 / rate == pytest.approx(products / 1e11)
    assert 1 / rate > products / 1e11
    in_bfloat16 = Speed(torch.bfloat16, 1e11)
    rate, _ = recommendation.estimate(config, in_bfloat16)
    monkeypatch.setattr(recommendation, "has_compiler", lambda: False)
    assert recommendation.estimate(config, in_bfloat16)[0] < rate


def test_small_batches_pay_for_muon_more_often():
    config = recipe("pictures", {"budget_images": 1000, "budget_minutes": None})
    halved = config.model_copy(
        update={"training": config.training.model_copy(update={"batch_size": 32})}
    )
    network = config.model.network
    once = recommendation._MUON_CUBES * network.depth * network.width**3 / 1e11
    seconds = [1 / recommendation.estimate(each, SPEED)[0] for each in (config, halved)]
    assert 64 * seconds[0] - once == pytest.approx(2 * (32 * seconds[1] - once))


@pytest.mark.parametrize(
    ("rate", "threads", "measured"), [(1.79e11, 2, 39), (0.9e11, 1, 22)], ids=["two", "one"]
)
def test_the_estimate_is_near_what_was_measured_in_float32(monkeypatch, rate, threads, measured):
    """The recipe on Zen 3 (README; benchmarks/training_rate.py), within a fifth."""
    monkeypatch.setattr("torch.get_num_threads", lambda: threads)
    config = recipe("glyphs", {"budget_images": 1000, "budget_minutes": None})
    estimated, _ = recommendation.estimate(config, Speed(torch.float32, rate))
    assert estimated == pytest.approx(measured, rel=0.2)


def minutes_of(config: RunConfig, size: int) -> float:
    """What the pictures of a whole training take with a network of this size."""
    rate, _ = recommendation.estimate(network_sized(config, size), SPEED)
    return recommendation.NUM_SEEN / rate / 60


def test_the_smaller_network_is_the_largest_that_fits_the_minutes():
    config = network_sized(recipe("pictures", {"budget_images": 1, "budget_minutes": None}), 8)
    between = (minutes_of(config, 6) + minutes_of(config, 7)) / 2
    found = smaller_network(config, between, SPEED)
    assert found == (6, pytest.approx(minutes_of(config, 6)))
    # Nothing fits: the smallest; nothing is smaller: none.
    assert smaller_network(config, 0.1, SPEED) == (4, pytest.approx(minutes_of(config, 4)))
    assert smaller_network(network_sized(config, 4), 0.1, SPEED) is None


def test_a_budget_that_shows_too_few_pictures_is_said_with_one_that_does_not():
    needed = minutes_of(recipe("pictures", {"budget_images": 1, "budget_minutes": None}), 6)

    def said(minutes: float | None) -> Finding | None:
        images = 1000 if minutes is None else None
        return budget_finding(
            recipe("pictures", {"budget_images": images, "budget_minutes": minutes})
        )

    short = said(needed / 3)
    assert short is not None
    assert short.severity == "warning"
    assert f"{recommendation.NUM_SEEN / 3:,.0f} pictures" in short.line
    assert f"about {needed:.0f} minutes" in short.line
    assert "--network" in short.line
    assert said(needed) is None
    assert said(None) is None  # whoever counts pictures knows how many


def rates_of(config: RunConfig) -> tuple[float, float]:
    return config.training.matrix_learning_rate, config.training.other_learning_rate


def weight_at(t: float, config: RunConfig) -> float:
    """What an error of 1 in every pixel counts at this time."""
    objective, zeros = config.model.objective, torch.zeros(1, 1, 2, 2)
    schedule = objective.build_schedule()
    time = torch.tensor([t])
    return squared_error(zeros + 1, zeros, zeros, zeros, time, objective, schedule).item()


def test_minutes_that_are_too_few_for_the_recipes_network_train_a_smaller_one():
    def of(minutes: float | None) -> RunConfig:
        images = 1000 if minutes is None else None
        return recipe("pictures", {"budget_images": images, "budget_minutes": minutes})

    enough = minutes_of(of(None), 6)
    for config in (of(None), of(enough), of(0.6 * enough)):
        assert within_budget(config) == (config, None)
    # Not half of them would be shown: the largest network that is shown all.
    short = of(0.49 * enough)
    smaller, said = within_budget(short)
    size = smaller_network(short, 0.49 * enough, SPEED)
    assert size is not None
    assert smaller.model.network == network_sized(short, size[0]).model.network
    assert smaller.training.batch_size == 32
    # Steps are larger, for all weights alike; little noise counts for less.
    assert rates_of(smaller) == pytest.approx([2 * rate for rate in rates_of(short)])
    assert weight_at(0.1, smaller) == weight_at(0.2, smaller) < weight_at(0.1, short)
    assert weight_at(0.3, smaller) == weight_at(0.3, short)
    assert said is not None
    assert said.severity == "remark"
    assert "--network 6" in said.line
    # Nothing is fast enough: the smallest, and how long it would take.
    smallest, said = within_budget(of(0.1))
    assert smallest.model.network == network_sized(of(0.1), 4).model.network
    assert said is not None
    assert smallest.training.batch_size == 32  # in which Muon weighs more
    assert f"{minutes_of(smallest, 4):.0f} minutes would show it all" in said.line


def test_a_continued_run_keeps_the_network_that_it_was_begun_with(tmp_path, monkeypatch, capsys):
    folder, out = healthy(tmp_path / "a"), tmp_path / "run"
    trained: list[RunConfig] = []

    def begin(config, data, path, device):
        trained.append(config)
        RunFolder(path, config.weights_file).open(config, data.key)

    monkeypatch.setattr("imagespace.cli.train.train_under_a_bar", begin)
    command = ["train", str(folder), "--out", str(out), "--minutes", "5", "--size", "16"]
    slow, fast = Speed(torch.float32, 1e9), Speed(torch.float32, 1e15)
    for speed in (slow, fast):
        monkeypatch.setattr(Speed, "of_this_machine", classmethod(lambda _, speed=speed: speed))
        assert run(monkeypatch, *command) == 0
    assert [config.model.network.width for config in trained] == [256, 256]
    assert trained[0] == trained[1]
    assert "note: --network 4: is trained" in capsys.readouterr().out
    assert run(monkeypatch, *command[:-4], "--minutes", "5", "--size", "16", "--network", "6") == 2
    assert "other settings" in capsys.readouterr().err


def test_the_recommended_command_trains_what_was_recommended(tmp_path, monkeypatch, capsys):
    folder = healthy(tmp_path / "a")
    assert run(monkeypatch, "pictures", "check", str(folder), "--size", "16") == 0
    command = re.search(r"next: imagespace (train .*)", capsys.readouterr().out)
    assert command is not None
    monkeypatch.setattr(
        "imagespace.cli.train.train_under_a_bar", lambda config, *others: print(config)
    )
    assert run(monkeypatch, *command[1].split()) == 0
    out = capsys.readouterr().out
    assert "image_size_px=16" in out
    assert "recipe='pictures'" in out
    drawn = re.search(r"next: imagespace generate (.+) --model run", out)
    assert drawn is not None
    (prompt,) = shlex.split(drawn[1])
    assert prompt in {row["text"] for row in read_rows(folder)}
