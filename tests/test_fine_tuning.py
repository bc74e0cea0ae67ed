"""A run that goes on from a trained model: it begins where that one stood."""

import pytest
import torch
from PIL import Image

import imagespace
from imagespace.checkpoints import save_model
from imagespace.errors import UserError
from imagespace.networks.build import build_network
from imagespace.networks.growth import grown
from imagespace.networks.transformer import TransformerConfig
from imagespace.pictures.folder import read_folder
from imagespace.recipes import PictureOptions, picture_config
from imagespace.text.vectors import load_text_encoder
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


@pytest.mark.parametrize("depth", [None, 4])
def test_a_run_begins_with_the_models_pictures(shapes_folder, initial, tmp_path, depth):
    asked = PictureOptions(initial=str(initial), depth=depth)
    config = picture_config(shapes_folder, asked, BUDGET, 0)
    assert config.model.network.depth == (depth or 2)
    plain = {"compile": False, "num_validation": 8, "batch_size": 16}
    config = config.model_copy(update={"training": config.training.model_copy(update=plain)})
    model = imagespace.load(initial)
    data = PictureData(
        config, read_folder(shapes_folder, 16, 1), load_text_encoder(), model.network.state_dict()
    )
    next(train(config, data, tmp_path / "run"))
    begun = imagespace.load(tmp_path / "run" / "model.safetensors")
    assert begun.sha256 != model.sha256  # the labels of varied pictures are new
    ours, theirs = (one.generate("a disc", num=3).pixels.astype(int) for one in (begun, model))
    assert abs(ours - theirs).max() <= 1
    assert theirs.std() > 10
    for _ in train(config, data, tmp_path / "run"):
        pass
    trained = imagespace.load(tmp_path / "run").generate("a disc", num=3).pixels.astype(int)
    assert abs(trained - theirs).max() > 1


def test_a_model_that_does_not_fit_is_refused(shapes_folder, initial, tmp_path):
    colour = tmp_path / "colour"
    for number, kind in enumerate(("red fox", "red fox", "blue owl", "blue owl")):
        (colour / kind).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (200, 40 * number, 0)).save(colour / kind / f"{number}.png")
    name = str(initial)
    for folder, asked, words in (
        (colour, PictureOptions(initial=name), "draws in grey, and these pictures have colour"),
        (shapes_folder, PictureOptions(initial=name, size=32), "draws 16 px, and this run 32 px"),
        (shapes_folder, PictureOptions(initial=name, network=3), "--network 3: the network is"),
        (shapes_folder, PictureOptions(initial=name, depth=1), "--depth 1: must be from 2 to"),
        (shapes_folder, PictureOptions(depth=0), "--depth 0: must be from 1 to"),
        (shapes_folder, PictureOptions(initial=name, unconditional=True), "reads prompts, and"),
        (shapes_folder, PictureOptions(initial="missing"), "'missing'.*neither a shipped model"),
    ):
        with pytest.raises(UserError, match=words):
            picture_config(folder, asked, BUDGET, 0)


def test_grey_pictures_are_read_as_colour_for_a_model_in_colour(shapes_folder):
    config = picture_config(shapes_folder, PictureOptions(initial="emoji"), BUDGET, 0)
    assert config.model.picture_shape == (3, 64, 64)
    assert config.model.network == imagespace.load("emoji").config.network
