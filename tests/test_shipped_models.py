"""What ships is what its card says: the same bytes, from the recorded configuration."""

import hashlib
import json
from pathlib import Path

import pytest

from imagespace.pipeline import (
    autoencoder_file,
    load,
    load_autoencoder_by_name,
    model_file,
    shipped_autoencoders,
    shipped_models,
)
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
