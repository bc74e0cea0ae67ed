"""A run that goes on from a trained model: it begins where that one stood."""

import re
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import imagespace
from imagespace.checkpoints import ModelConfig, save_model, with_autoencoder
from imagespace.errors import UserError
from imagespace.networks.build import build_network
from imagespace.networks.growth import grown
from imagespace.networks.perceptron import PerceptronConfig
from imagespace.networks.transformer import TransformerConfig
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import load_autoencoder_by_name
from imagespace.recipes import PictureOptions, picture_config
from imagespace.recipes.named import sketched
from imagespace.text.vectors import load_text_encoder
from imagespace.training.config import RunConfig
from imagespace.training.loop import train
from imagespace.training.picture_data import PictureData

BUDGET = {"budget_images": 64, "budget_minutes": None}


def shaken(network: torch.nn.Module) -> torch.nn.Module:
    """No weight is zero, as none is after training."""
    for weight in network.parameters():
        weight.data += 0.1 * torch.randn(weight.shape)
    return network


@pytest.fixture
def initial(tmp_path, tiny_run):
    """The file of a model for the shapes' pictures, as if it had been trained."""
    torch.manual_seed(0)
    network = shaken(build_network(tiny_run.model.network))
    fingerprint = {"text_fingerprint": load_text_encoder().fingerprint}
    path = tmp_path / "initial.safetensors"
    save_model(path, network.state_dict(), tiny_run.model.model_copy(update=fingerprint))
    return path


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_a_grown_network_answers_as_before_and_can_learn_to_differ(depth):
    torch.manual_seed(0)
    shape = {"image_size_px": 16, "patch_size_px": 4, "width": 32, "num_heads": 2}
    small = TransformerConfig(depth=2, max_text_tokens=4, **shape)
    before = shaken(build_network(small))
    after = build_network(small.model_copy(update={"depth": depth}))
    after.load_state_dict(grown(before.state_dict(), depth))
    inputs = (torch.randn(3, 1, 16, 16), torch.rand(3), torch.randn(3, 4, 256))
    torch.testing.assert_close(after(*inputs), before(*inputs), rtol=0, atol=1e-6)
    after(*inputs).square().sum().backward()
    for block in after.blocks:
        assert block.attention.out.weight.grad.abs().max() > 0
        assert block.feed_forward.down.weight.grad.abs().max() > 0


def test_blocks_are_not_left_out():
    with pytest.raises(ValueError, match="3 blocks cannot become 2"):
        grown({f"blocks.{number}.w": torch.ones(1) for number in range(3)}, 2)


def run_from(model, folder: Path, num: int = 64, **asked) -> tuple[RunConfig, PictureData]:
    """A run on the shapes that goes on from `model`, small enough for a test."""
    config = picture_config(folder, PictureOptions(initial=model, **asked), BUDGET, 0)
    plain = {"compile": False, "budget_images": num, "num_validation": 8, "batch_size": 16}
    config = config.model_copy(update={"training": config.training.model_copy(update=plain)})
    pictures = read_folder(folder, 16, config.model.picture_shape[0])
    return config, PictureData(config, pictures, load_text_encoder(), model)


@pytest.mark.parametrize("depth", [None, 4])
def test_a_run_begins_with_the_models_pictures(shapes_folder, initial, tmp_path, depth):
    model = imagespace.load(initial)
    config, data = run_from(model, shapes_folder, depth=depth)
    assert config.model.network.depth == (depth or 2)
    objective = model.config.objective
    assert config.model.objective.prediction == objective.prediction
    assert config.model.objective.smallest_weighted_time > objective.smallest_weighted_time
    next(train(config, data, tmp_path / "run"))
    begun = imagespace.load(tmp_path / "run" / "model.safetensors")
    assert begun.sha256 != model.sha256  # the labels of varied pictures are new
    ours, theirs = (one.generate("a disc", num=3).pixels.astype(int) for one in (begun, model))
    assert abs(ours - theirs).max() <= 1
    assert theirs.std() > 10


def test_it_continues_exactly_and_from_no_other_model(shapes_folder, initial, tmp_path):
    model = imagespace.load(initial)
    config, data = run_from(model, shapes_folder, depth=3)
    for _ in train(config, data, tmp_path / "whole"):
        pass
    for progress in (events := train(config, data, tmp_path / "parts")):
        if progress.step == 2:
            events.close()
            break
    for _ in train(config, data, tmp_path / "parts"):
        pass
    whole, parts = (load_file(tmp_path / one / "model.safetensors") for one in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert not torch.equal(whole["patch_in.weight"], model.network.patch_in.weight)
    other = config.model_copy(update={"initial_sha256": "0123456789abcdef"})
    with pytest.raises(UserError, match=f"was begun from {model.sha256}, not 0123456789abcdef"):
        next(train(other, data, tmp_path / "parts"))


def test_a_sketch_is_fitted_on_from_where_it_was(shapes_folder, initial, tmp_path, tiny_run):
    network = sketched(tiny_run.model.network)
    torch.manual_seed(1)
    weights = shaken(build_network(network)).state_dict()
    fingerprint = load_text_encoder().fingerprint
    changes = {"network": network, "text_fingerprint": fingerprint}
    save_model(initial, weights, tiny_run.model.model_copy(update=changes))
    model = imagespace.load(initial)
    config, data = run_from(model, shapes_folder, 1024)  # four steps of the fit
    next(train(config, data, tmp_path / "run"))
    begun = load_file(tmp_path / "run" / "model.safetensors")
    for name, weight in model.network.sketch.state_dict().items():
        moved = (begun[f"sketch.{name}"] - weight).abs().max()
        assert 0 < moved < 2e-3
    fitted = imagespace.load(tmp_path / "run" / "model.safetensors")
    config, data = run_from(fitted, shapes_folder, 1024)  # on the same pictures: it stays
    next(train(config, data, tmp_path / "again"))
    again = load_file(tmp_path / "again" / "model.safetensors")
    assert all(torch.equal(again[name], begun[name]) for name in begun if "sketch." in name)


def test_grey_pictures_and_labels_meet_a_latent_model_in_colour(shapes_folder, tmp_path):
    torch.manual_seed(0)
    autoencoder, sha256 = load_autoencoder_by_name("emoji-autoencoder")
    latents = {"image_size_px": 16 // autoencoder.config.downsampling, "patch_size_px": 1}
    network = TransformerConfig(
        num_channels=autoencoder.config.latent_channels, width=32, depth=1, num_heads=2, **latents
    )
    config = ModelConfig(
        network=network, autoencoder=autoencoder.config, autoencoder_sha256=sha256, fit="crop"
    )
    encoder = load_text_encoder()
    config = config.model_copy(update={"text_fingerprint": encoder.fingerprint})
    weights = with_autoencoder(shaken(build_network(network)).state_dict(), autoencoder)
    save_model(tmp_path / "latent.safetensors", weights, config)
    model = imagespace.load(tmp_path / "latent.safetensors")
    run = picture_config(shapes_folder, PictureOptions(initial=model), BUDGET, 0)
    assert run.model.picture_shape == (3, 16, 16)
    assert run.model.autoencoder_sha256 == sha256
    assert run.model.fit == "crop"
    assert run.model.network.num_augmentation_labels == 6


def test_the_command_names_what_is_wrong_in_one_line(shapes_folder, initial, refusal):
    assert "--depth 1: must be from 2 to" in refusal(
        "train", shapes_folder, "--from", initial, "--depth", 1
    )
    assert "neither a shipped model" in refusal("train", shapes_folder, "--from", "missing")
    assert "--from: is for pictures" in refusal("train", "coin", "--from", initial)


def test_a_model_that_does_not_fit_is_refused(shapes_folder, initial, tmp_path):
    colour = tmp_path / "colour"
    for number, kind in enumerate(("red fox", "red fox", "blue owl", "blue owl")):
        (colour / kind).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (200, 40 * number, 0)).save(colour / kind / f"{number}.png")
    model = imagespace.load(initial)
    points = build_network(PerceptronConfig()).state_dict()
    save_model(tmp_path / "points.safetensors", points, ModelConfig(network=PerceptronConfig()))
    of_points = imagespace.load(tmp_path / "points.safetensors")
    for folder, asked, words in (
        (colour, PictureOptions(initial=model), "draws in grey, and these pictures have colour"),
        (shapes_folder, PictureOptions(initial=model, size=32), "draws 16 px, and this run 32 px"),
        (shapes_folder, PictureOptions(initial=model, network=3), "--network 3: is settled by"),
        (shapes_folder, PictureOptions(initial=model, space="latent"), "latent: is settled by"),
        (
            shapes_folder,
            PictureOptions(initial=model, autoencoder="emoji-autoencoder"),
            f"--autoencoder emoji-autoencoder: is settled by --from {re.escape(model.source)}. "
            "Leave it out$",
        ),
        (shapes_folder, PictureOptions(initial=model, depth=1), "--depth 1: must be from 2 to 48"),
        (shapes_folder, PictureOptions(depth=60), "--depth 60: must be from 1 to 48. Use 48"),
        (shapes_folder, PictureOptions(initial=model, unconditional=True), "reads prompts, and"),
        (shapes_folder, PictureOptions(initial=of_points), "draws points, not pictures"),
    ):
        with pytest.raises(UserError, match=words):
            picture_config(folder, asked, BUDGET, 0)


def test_grey_pictures_are_read_as_colour_for_a_model_in_colour(shapes_folder):
    emoji = imagespace.load("emoji")
    config = picture_config(shapes_folder, PictureOptions(initial=emoji), BUDGET, 0)
    assert config.model.picture_shape == (3, 64, 64)
    assert config.model.network == emoji.config.network
