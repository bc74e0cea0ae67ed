"""An autoencoder learns pictures in the one training loop, and its latents are whitened."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from imagespace.errors import UserError
from imagespace.networks.autoencoder import Autoencoder, AutoencoderConfig, ResidualBlock
from imagespace.pictures.fidelity import psnr, ssim
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import from_pixels, load_autoencoder_by_name
from imagespace.recipes.autoencoder import AutoencoderOptions, autoencoder_config
from imagespace.training.autoencoder_data import AutoencoderData
from imagespace.training.config import AutoencoderRun, ReconstructionConfig, TrainingConfig
from imagespace.training.loop import prepare, train
from imagespace.training.reconstruction import ReconstructionLoss, edges


@pytest.fixture(scope="module")
def pictures(shapes_folder):
    return read_folder(shapes_folder, 16, 1)


@pytest.fixture
def run_config():
    return AutoencoderRun(
        recipe="autoencoder",
        autoencoder=AutoencoderConfig(downsampling=4, latent_channels=3, width=16, depth=1),
        image_size_px=16,
        training=TrainingConfig(
            budget_images=160,
            batch_size=16,
            matrix_learning_rate=8e-3,
            other_learning_rate=2e-3,
            warmup_steps=5,
            evaluations=2,
            precision="float32",
            compile=False,
        ),
    )


def finish(config, pictures, out):
    for _ in train(config, AutoencoderData(config, pictures), out):
        pass
    return out


def metrics(run):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) | {"elapsed_s": 0} for line in lines]


def longer(config, images):
    training = config.training.model_copy(update={"budget_images": images})
    return config.model_copy(update={"training": training})


def test_psnr_and_ssim_of_known_pictures():
    random = torch.Generator().manual_seed(0)
    picture = torch.rand(2, 3, 24, 20, generator=random) * 2 - 1
    # An error of 0.02 everywhere in a range of 2: 20 log10(2 / 0.02) dB.
    assert psnr(picture + 0.02, picture).tolist() == pytest.approx([40, 40], abs=1e-3)
    assert psnr(picture, picture).tolist() == [math.inf, math.inf]
    assert ssim(picture, picture).tolist() == pytest.approx([1, 1], abs=1e-6)
    # Flat pictures differ in luminance alone, in [0, 1]: (2 a b + c) / (a^2 + b^2 + c).
    a, b, c = 0.5, 0.75, 0.01**2
    flat = [torch.full((1, 1, 16, 16), 2 * level - 1) for level in (a, b)]
    assert ssim(*flat).item() == pytest.approx((2 * a * b + c) / (a * a + b * b + c), abs=1e-6)
    # A contrast k times as large about the same mean: (2 k v + c) / ((1 + k^2) v + c) for one
    # window, where v is the variance under it.
    one = torch.randn(1, 1, 11, 11, generator=random, dtype=torch.float64) * 0.1
    place = torch.arange(11.0, dtype=torch.float64) - 5
    window = torch.exp(-(place[:, None] ** 2 + place**2) / (2 * 1.5**2))
    window /= window.sum()
    one -= (window * one).sum()
    v, c = (window * one**2).sum().item() / 4, 0.03**2
    expected = (2 * 0.5 * v + c) / (1.25 * v + c)
    assert ssim(0.5 * one, one).item() == pytest.approx(expected, rel=1e-4)


def test_it_learns_the_shapes_and_whitens_their_latents(run_config, pictures, tmp_path):
    config = longer(run_config, 1_600)
    run = finish(config, pictures, tmp_path / "run")
    first, last = metrics(run)[0], metrics(run)[-1]
    assert last["psnr"] > first["psnr"] + 4
    assert last["ssim"] > first["ssim"] + 0.2
    autoencoder, _ = load_autoencoder_by_name(run)
    assert autoencoder.config.trained_size_px == 16
    rows = pictures.indices("train")
    latents = autoencoder.encode(from_pixels(pictures.pixels[rows]))
    mean, std = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(mean, torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(std, torch.ones(3), atol=1e-4, rtol=0)
    sheet = np.asarray(Image.open(sorted((run / "samples").glob("*.png"))[-1]).convert("L"))
    assert sheet.min() < 60 < 240 < sheet.max()


def test_latents_are_measured_roughly_in_passing_and_fully_at_the_end(
    run_config, pictures, tmp_path, monkeypatch
):
    """On thousands of pictures every evaluation would take as long as a hundred steps.

    As many are measured as may be: every second of 72 pictures would be fewer than 40.
    """
    monkeypatch.setattr("imagespace.training.autoencoder_data.NUM_MEASURED_IN_PASSING", 40)
    encoded, encode = [], Autoencoder.encode

    def counted(self, x_0):
        if torch.is_inference_mode_enabled():  # not those of the steps
            encoded.append(len(x_0))
        return encode(self, x_0)

    monkeypatch.setattr(Autoencoder, "encode", counted)
    run = finish(run_config, pictures, tmp_path / "run")
    num_train, num_validation = 72, 8
    assert sum(encoded) == 3 * (40 + num_validation) + num_train
    autoencoder, _ = load_autoencoder_by_name(run)
    latents = autoencoder.encode(from_pixels(pictures.pixels[pictures.indices("train")]))
    std = latents.std(dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(std, torch.ones(3), atol=1e-4, rtol=0)
    # The history's are whitened too, and roughly.
    last = sorted((run / "history").iterdir())[-1]
    again = load_autoencoder_by_name(last)[0].latent_std / autoencoder.latent_std
    assert (again - 1).abs().max() < 0.3
    assert not torch.equal(again, torch.ones(3))


def test_interrupted_run_continues_exactly(run_config, pictures, tmp_path):
    config = run_config.model_copy(
        update={"crop_px": 8, "reconstruction": ReconstructionConfig(kl_weight=1e-4)}
    )
    whole = finish(config, pictures, tmp_path / "whole")
    parts = tmp_path / "parts"
    for progress in (events := train(config, AutoencoderData(config, pictures), parts)):
        if progress.step == 6:
            events.close()
            break
    finish(config, pictures, parts)
    assert metrics(parts) == metrics(whole)
    one, other = (load_file(run / "autoencoder.safetensors") for run in (whole, parts))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_loss_is_its_equation(run_config):
    x_0 = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1

    def loss(edge_weight, kl_weight, seen):
        reconstruction = ReconstructionConfig(edge_weight=edge_weight, kl_weight=kl_weight)
        config = run_config.model_copy(update={"reconstruction": reconstruction})

        def forward(pictures, noise):
            seen.append(noise)
            return pictures + 0.5, torch.full((2, 3, 4, 4), 2.0)

        return ReconstructionLoss(config)(forward, x_0, (), 0, torch.float32).item()

    deterministic, drawn = [], []
    # A constant error has no edges.
    assert loss(7.0, 0.0, deterministic) == pytest.approx(0.25, abs=1e-5)
    assert loss(0.0, 0.3, drawn) == pytest.approx(0.25 + 0.3 * 2.0**2 / 2, abs=1e-5)
    assert deterministic == [None]
    assert drawn[0].shape == (2, 3, 4, 4)
    # A ramp of slope 0.1 across has differences 0.1, 0.2 and 0.4 at the three scales, none down.
    ramp = (0.1 * torch.arange(16.0)).expand(1, 1, 16, 16)
    assert edges(ramp).item() == pytest.approx((0.1 + 0.2 + 0.4) / 3 / 2, rel=1e-5)
    assert edges(ramp[:, :, :8, :8]).item() == pytest.approx((0.1 + 0.2 + 0.4) / 3 / 2, rel=1e-5)


def test_crops_are_squares_of_the_pictures(run_config, pictures):
    data = AutoencoderData(run_config.model_copy(update={"crop_px": 8}), pictures)
    squares, _ = data.batch(3)
    wholes, _ = AutoencoderData(run_config, pictures).batch(3)
    assert squares.shape == (16, 1, 8, 8)
    corners = set()
    for square, whole in zip(squares, wholes, strict=True):
        windows = whole[0].unfold(0, 8, 1).unfold(1, 8, 1)
        found = (windows == square[0]).all(dim=(2, 3)).nonzero()
        assert len(found)
        corners.add(tuple(found[0].tolist()))
    assert len(corners) > 3


def test_other_sizes_are_encoded_too():
    autoencoder = Autoencoder(AutoencoderConfig(downsampling=16, latent_channels=5, width=4))
    picture = torch.randn(1, 1, 64, 32)
    latents = autoencoder.encode(picture)
    assert latents.shape == (1, 5, 4, 2)
    assert autoencoder.decode(latents).shape == picture.shape


def test_a_latent_sees_as_far_as_the_convolutions_reach():
    """With one block of two 3 x 3 convolutions at 1/16, 1/8 and 1/4 of the resolution, and one more
    at 1/4: 2 * 16 + 2 * 8 + (2 + 1) * 4 = 60 px on either side of its own 16.
    """
    config = AutoencoderConfig(downsampling=16, latent_channels=5, width=4, depth=1)
    autoencoder = Autoencoder(config).double()
    random = torch.Generator().manual_seed(0)
    for module in autoencoder.modules():
        if isinstance(module, ResidualBlock):  # new ones add nothing, and so see nothing
            module.second.weight.data.normal_(std=0.3, generator=random)
    picture = torch.randn(1, 1, 192, 32, generator=random, dtype=torch.float64, requires_grad=True)
    autoencoder.encode(picture)[:, :, 5].sum().backward()
    seen = picture.grad.abs().amax(dim=(0, 1, 3)).nonzero().flatten()
    assert seen.tolist() == list(range(5 * 16 - 60, 6 * 16 + 60))


def test_every_weight_has_one_optimiser(run_config):
    state = prepare(run_config)
    owned = [id(p) for o in state.optimizers for g in o.param_groups for p in g["params"]]
    assert sorted(owned) == sorted(id(p) for p in state.network.parameters())


def test_the_folder_decides_channels_and_size(shapes_folder, tmp_path):
    budget = {"budget_images": 10, "budget_minutes": None}
    grey = autoencoder_config(shapes_folder, AutoencoderOptions(4), budget, 0)
    assert (grey.autoencoder.num_channels, grey.image_size_px) == (1, 16)
    assert grey.crop_px is None
    for number in range(3):
        Image.new("RGB", (150, 150), (200, 30 * number, 10)).save(tmp_path / f"{number}.png")
    colour = autoencoder_config(tmp_path, AutoencoderOptions(), budget, 0)
    assert (colour.autoencoder.num_channels, colour.image_size_px) == (3, 128)
    assert colour.autoencoder.latent_channels == 8


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--downsampling", "5"], "--downsampling 5"),
        (["--downsampling", "0"], "--downsampling 0"),
        (["--size", "0"], "--size 0"),
        (["--size", "4", "--downsampling", "4"], "too small to have edges"),
        (["--size", "20"], "cannot be divided by the downsampling, 8"),
        (["--latent-channels", "0"], "must be from 1 to 64"),
        (["--kl", "-1"], "--kl -1"),
        (["--kl", "nan"], "--kl nan"),
        (["--fit", "squash"], "no such fit"),
        (["--flip", "--network", "4"], "imagespace: --flip, --network: is not for an autoencoder"),
    ],
)
def test_impossible_autoencoders_are_refused(refusal, shapes_folder, words, told):
    assert told in refusal("train", shapes_folder, "--recipe", "autoencoder", *words)


def test_its_options_are_of_no_other_recipe(refusal, shapes_folder):
    told = refusal("train", shapes_folder, "--latent-channels", 4)
    assert "--latent-channels: is for an autoencoder" in told


def test_a_run_is_not_continued_as_another(run_config, pictures, tiny_run, tmp_path):
    run = finish(run_config, pictures, tmp_path / "run")
    before = (run / "autoencoder.safetensors").read_bytes()
    shape = run_config.autoencoder.model_copy(update={"latent_channels": 4})
    other = run_config.model_copy(update={"autoencoder": shape})
    with pytest.raises(UserError, match="other settings"):
        finish(other, pictures, run)
    with pytest.raises(UserError, match="another kind of run"):
        next(train(tiny_run, AutoencoderData(run_config, pictures), run))
    assert (run / "autoencoder.safetensors").read_bytes() == before
