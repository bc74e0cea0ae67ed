"""What ships is what its card says: the same bytes, from the recorded configuration."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from imagespace.pipeline import (
    autoencoder_file,
    load,
    load_autoencoder_by_name,
    model_file,
    shipped_autoencoders,
    shipped_models,
)
from imagespace.recipes import network_sized, recipe
from imagespace.recipes.autoencoder import AutoencoderOptions, autoencoder_config
from imagespace.recipes.named import with_depth
from imagespace.training.config import AutoencoderRun, RunConfig

LARGEST_BYTES = 16_000_000
LARGEST_AUTOENCODER_BYTES = 4_000_000


@pytest.mark.parametrize("name", shipped_models())
def test_the_card_and_the_record_name_these_very_weights(name):
    path = Path(model_file(name))
    data = path.read_bytes()
    record = json.loads(path.with_name("training.json").read_text())
    assert record["sha256"] == hashlib.sha256(data).hexdigest()
    assert record["sha256"] in path.with_name("README.md").read_text()
    assert record["bytes"] == len(data) <= LARGEST_BYTES


@pytest.mark.parametrize("name", shipped_models())
def test_the_model_is_the_one_of_its_recorded_run(name):
    record = json.loads(Path(model_file(name)).with_name("training.json").read_text())
    # Fields that have been added since have their former meaning as default.
    trained = RunConfig.model_validate(record["config"])
    model = load(name)
    assert model.config.network == trained.model.network
    assert model.config.objective == trained.model.objective
    num_parameters = sum(p.numel() for p in model.network.parameters())
    assert (
        f"{num_parameters:,} parameters"
        in Path(model_file(name)).with_name("README.md").read_text()
    )


def names_a_commit(card):
    """Whether the card's command checks out the version whose recipe trained the model."""
    return re.search(r"\| command \| `git checkout [0-9a-f]{7} && ", card) is not None


@pytest.mark.parametrize("name", shipped_models())
def test_the_cards_command_trains_the_recorded_network(name):
    """By today's recipe, or by that of the commit that it checks out."""
    path = Path(model_file(name))
    card = path.with_name("README.md").read_text()
    record = json.loads(path.with_name("training.json").read_text())
    trained = RunConfig.model_validate(record["config"])
    minutes = {"budget_minutes": trained.training.budget_minutes, "budget_images": None}
    today = recipe(trained.recipe, minutes, trained.training.seed)
    if size := re.search(r"--network (\d+)", card):
        today = network_sized(today, int(size[1]))
    if depth := re.search(r"--depth (\d+)", card):
        today = with_depth(today, int(depth[1]))
    training = today.training
    if trained.initial_sha256:  # as of every run that goes on from a model
        training = training.model_copy(update={"decay_fraction": 1.0})
    is_todays = (trained.model.network, trained.training) == (today.model.network, training)
    assert is_todays or names_a_commit(card)


@pytest.mark.parametrize("name", shipped_autoencoders())
def test_the_command_of_an_autoencoders_card_is_that_of_its_recipe(name, tmp_path):
    path = autoencoder_file(name)
    record = json.loads(path.with_name("training.json").read_text())
    trained = AutoencoderRun.model_validate(record["config"])
    shape, size_px = trained.autoencoder, trained.image_size_px
    mode = "RGB" if shape.num_channels == 3 else "L"
    Image.new(mode, (size_px, size_px), 9).save(tmp_path / "picture.png")
    asked = AutoencoderOptions(shape.downsampling, shape.latent_channels, size=size_px)
    minutes = {"budget_minutes": trained.training.budget_minutes, "budget_images": None}
    today = autoencoder_config(tmp_path, asked, minutes, trained.training.seed)
    assert today.training == trained.training or names_a_commit(
        path.with_name("README.md").read_text()
    )


@pytest.mark.parametrize("name", shipped_autoencoders())
def test_an_autoencoder_is_the_one_of_its_card_and_run(name):
    path = autoencoder_file(name)
    data, card = path.read_bytes(), path.with_name("README.md").read_text()
    record = json.loads(path.with_name("training.json").read_text())
    assert record["sha256"] == hashlib.sha256(data).hexdigest()
    assert record["sha256"] in card
    assert record["bytes"] == len(data) <= LARGEST_AUTOENCODER_BYTES
    autoencoder, _ = load_autoencoder_by_name(name)
    trained = AutoencoderRun.model_validate(record["config"])
    size = {"trained_size_px": trained.image_size_px}
    assert autoencoder.config == trained.autoencoder.model_copy(update=size)
    assert f"{sum(p.numel() for p in autoencoder.parameters()):,} parameters" in card
