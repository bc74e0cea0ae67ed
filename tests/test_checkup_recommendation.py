"""What the check recommends, and which budgets are too small."""

import re
import shlex

import pytest
import torch
from checked_folder import SPEED, healthy, read_rows, run

from imagespace.checkup import recommendation
from imagespace.checkup.checkup import check_folder
from imagespace.checkup.finding import Finding
from imagespace.checkup.recommendation import Speed, budget_finding, smaller_network
from imagespace.errors import UserError
from imagespace.networks.transformer import training_flops_per_picture
from imagespace.recipes import network_sized, recipe
from imagespace.training.config import RunConfig

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
    rate, _ = recommendation.estimate(config, SPEED)
    slower, _ = recommendation.estimate(config, Speed(torch.float32, 5e10))
    product_s = training_flops_per_picture(network) / 1e11
    assert 1 / slower - 1 / rate == pytest.approx(product_s)
    assert 1 / rate > product_s
    monkeypatch.setattr(recommendation, "has_compiler", lambda: False)
    assert recommendation.estimate(config, SPEED)[0] < rate


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


def test_the_recommended_command_trains_what_was_recommended(tmp_path, monkeypatch, capsys):
    folder = healthy(tmp_path / "a")
    assert run(monkeypatch, "pictures", "check", str(folder), "--size", "16") == 0
    command = re.search(r"next: imagespace (train .*)", capsys.readouterr().out)
    assert command is not None
    monkeypatch.setattr("imagespace.cli.train._train", lambda config, *others: print(config))
    assert run(monkeypatch, *command[1].split()) == 0
    out = capsys.readouterr().out
    assert "image_size_px=16" in out
    assert "recipe='pictures'" in out
    drawn = re.search(r"next: imagespace generate (.+) --model run", out)
    assert drawn is not None
    (prompt,) = shlex.split(drawn[1])
    assert prompt in {row["text"] for row in read_rows(folder)}
