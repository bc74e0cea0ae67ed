"""Shared by the tests: a small picture folder and a small model, both real."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from brightness_axis import with_brightness
from checked_folder import SPEED
from lossless import latent_twin, lossless_autoencoder
from PIL import Image, ImageDraw

from imagespace.checkpoints import ModelConfig, SamplingConfig
from imagespace.checkup import recommendation
from imagespace.cli import main
from imagespace.networks.autoencoder import Autoencoder
from imagespace.networks.build import build_network
from imagespace.networks.transformer import TransformerConfig
from imagespace.pipeline import Model
from imagespace.text.vectors import TextEncoder, load_text_encoder
from imagespace.training.config import RunConfig, TrainingConfig

SHAPES = ("square", "disc", "line", "cross")


@pytest.fixture(scope="session")
def encoder() -> TextEncoder:
    return load_text_encoder()


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of this test's own: nothing is written to the real cache folder."""
    path = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.setenv("USERPROFILE", str(path))
    return path


@pytest.fixture
def known_machine(monkeypatch):
    """A machine whose speed need not be measured: 100 GFLOP/s in float32."""
    monkeypatch.setattr(recommendation, "fastest_dtype", lambda: SPEED.dtype)
    monkeypatch.setattr(recommendation, "matrix_product_rate", lambda dtype: SPEED.product_rate)


@pytest.fixture
def refusal(tmp_path, monkeypatch, capsys):
    """Runs a command in `tmp_path` that is refused: exit code 2 and one line, which it returns."""

    def of(*words: object) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["imagespace", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        told = capsys.readouterr().err
        assert left.value.code == 2
        assert told.count("\n") == 1
        return told

    return of


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys):
    """Runs a command in `tmp_path` that succeeds, in this process; returns its `out` and `err`."""

    def by(*words: object):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["imagespace", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        assert left.value.code == 0, said.err
        return said

    return by


@pytest.fixture(scope="session")
def shapes_folder(tmp_path_factory) -> Path:
    """Eighty 16 px pictures of four shapes with captions in metadata.jsonl."""
    import json

    folder = tmp_path_factory.mktemp("shapes")
    random = np.random.default_rng(0)
    rows = []
    for number in range(80):
        name = SHAPES[number % 4]
        image = Image.new("L", (16, 16), 255)
        pen = ImageDraw.Draw(image)
        x, y = random.integers(2, 6, 2).tolist()
        box = (x, y, x + 8, y + 8)
        if name == "square":
            pen.rectangle(box, fill=0)
        elif name == "disc":
            pen.ellipse(box, fill=0)
        elif name == "line":
            pen.line(box, fill=0, width=2)
        else:
            pen.line((x + 4, y, x + 4, y + 8), fill=0, width=2)
            pen.line((x, y + 4, x + 8, y + 4), fill=0, width=2)
        image.save(folder / f"{number}.png")
        split = "validation" if number >= 72 else "train"
        row = {"file_name": f"{number}.png", "text": f"a {name}; shape", "split": split}
        rows.append(row | {"also": ["drawing"]})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="session")
def tiny_run() -> RunConfig:
    """A run of ten steps that takes a second."""
    network = TransformerConfig(
        image_size_px=16, patch_size_px=4, width=32, depth=2, num_heads=2, max_text_tokens=6
    )
    return RunConfig(
        recipe="tiny",
        model=ModelConfig(name="tiny", network=network, sampling=SamplingConfig(num_steps=4)),
        training=TrainingConfig(
            budget_images=160,
            batch_size=16,
            warmup_steps=2,
            evaluations=2,
            num_validation=8,
            compile=False,
            sample_prompts=["a square"],
            samples_per_prompt=2,
        ),
    )


@pytest.fixture(scope="session")
def tiny_model(tiny_run: RunConfig) -> Model:
    """A model of random weights that follows prompts."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(tiny_run.model.network)
        # The answer of a new network is zero everywhere; these weights give a picture.
        torch.nn.init.normal_(network.patch_out.weight, std=0.1)
    return Model(tiny_run.model, network, load_text_encoder(), "0123", "tiny")


@pytest.fixture(scope="session")
def autoencoder() -> Autoencoder:
    return lossless_autoencoder(mean=0.4, std=0.7)


@pytest.fixture(scope="session")
def tiny_twin(tiny_run, tiny_model, autoencoder) -> tuple[RunConfig, Model]:
    return latent_twin(tiny_run, tiny_model, autoencoder)


@pytest.fixture(scope="session")
def latent_run(tiny_twin) -> RunConfig:
    return tiny_twin[0]


@pytest.fixture(scope="session")
def latent_model(tiny_twin) -> Model:
    """The tiny model's own weights over latents: patches of 4 x 4 pixels are 16 channels."""
    return tiny_twin[1]


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
