"""A discriminator trained beside an autoencoder, whose copies it pulls towards real pictures."""

import pytest
import torch
from safetensors.torch import load_file

from imagespace.errors import UserError
from imagespace.networks.autoencoder import AutoencoderConfig
from imagespace.networks.discriminator import Discriminator
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import load_autoencoder_by_name
from imagespace.recipes.autoencoder import AutoencoderOptions, autoencoder_config
from imagespace.training.adversarial import contest, hinge
from imagespace.training.autoencoder_data import AutoencoderData
from imagespace.training.config import AutoencoderRun, ReconstructionConfig, TrainingConfig
from imagespace.training.loop import TrainingState, train
from imagespace.training.reconstruction import ReconstructionLoss


@pytest.fixture(scope="module")
def pictures(shapes_folder):
    return read_folder(shapes_folder, 16, 1)


def run_config(adversarial_weight: float, **training) -> AutoencoderRun:
    return AutoencoderRun(
        recipe="autoencoder",
        autoencoder=AutoencoderConfig(downsampling=16, latent_channels=1, width=16, depth=1),
        image_size_px=16,
        reconstruction=ReconstructionConfig(adversarial_weight=adversarial_weight),
        training=TrainingConfig(
            **{
                "budget_images": 320,
                "batch_size": 16,
                "matrix_learning_rate": 4e-3,
                "warmup_steps": 5,
                "evaluations": 2,
                "precision": "float32",
                "compile": False,
                **training,
            }
        ),
    )


def test_it_pulls_uphill_with_the_given_length_however_sure_the_discriminator_is():
    torch.manual_seed(0)
    discriminator = Discriminator(1, 8)
    x_0, copies = torch.randn(2, 2, 1, 16, 16)
    for bias in (0.0, -5.0):  # at -5 the hinge itself has no gradient
        torch.nn.init.constant_(discriminator.layers[-1].bias, bias)
        x0_hat = copies.clone().requires_grad_()
        loss = contest(discriminator, x_0, x0_hat, torch.tensor(0.5))
        assert loss.item() == hinge(discriminator(x_0), discriminator(copies)).item()
        loss.backward()
        assert x0_hat.grad.norm().item() == pytest.approx(0.5, rel=1e-5)
        with torch.no_grad():
            moved = discriminator(copies - 0.01 * x0_hat.grad)
            assert moved.mean() > discriminator(copies).mean()


def test_the_discriminator_learns_from_the_hinge_alone():
    torch.manual_seed(0)
    discriminator = Discriminator(1, 8)
    x_0, copies = torch.randn(2, 2, 1, 16, 16)
    contest(discriminator, x_0, copies, torch.tensor(3.0)).backward()
    found = [weight.grad.clone() for weight in discriminator.parameters()]
    discriminator.zero_grad()
    hinge(discriminator(x_0), discriminator(copies)).backward()
    for gradient, weight in zip(found, discriminator.parameters(), strict=True):
        torch.testing.assert_close(gradient, weight.grad)


def test_a_logit_sees_32_px():
    discriminator = Discriminator(1, 8)
    torch.nn.init.normal_(discriminator.layers[2].second.weight)
    x = torch.zeros(1, 1, 96, 96, requires_grad=True)
    discriminator(x)[0, 0, 6, 6].backward()  # of the places from 48 to 56
    seen = x.grad[0, 0].abs().sum(0).nonzero()
    assert (seen.min().item(), seen.max().item()) == (36, 67)


def test_a_place_that_is_surely_told_costs_nothing():
    assert hinge(torch.tensor([1.0, 3.0]), torch.tensor([-1.0, -2.0])) == 0
    # Means of (0.5, 0) and (2, 0).
    assert hinge(torch.tensor([0.5, 3.0]), torch.tensor([1.0, -2.0])).item() == 0.25 + 1.0


def test_it_pulls_as_strongly_as_its_weight_says(pictures):
    """At the copies the loss has the gradient of all else, plus one that is `weight` as long."""
    gradients = {}
    for weight in (0.0, 0.7):
        loss = ReconstructionLoss(run_config(weight))
        torch.manual_seed(0)
        network = loss.build_network()
        copies = []

        def forward(x_0, noise, network=network, copies=copies):
            copies.append(network(x_0, noise)[0].detach().requires_grad_())
            return copies[-1], None

        x_0, conditions = AutoencoderData(run_config(weight), pictures).batch(0)
        loss(forward, x_0, conditions, 0, torch.float32).backward()
        gradients[weight] = copies[0].grad
    pull = (gradients[0.7] - gradients[0.0]).norm()
    assert pull.item() == pytest.approx(0.7 * gradients[0.0].norm().item(), rel=1e-4)


def test_the_finished_file_is_an_autoencoder_and_the_run_continues_exactly(pictures, tmp_path):
    config = run_config(0.5)
    for _ in train(config, AutoencoderData(config, pictures), tmp_path / "whole"):
        pass
    cut = train(config, AutoencoderData(config, pictures), tmp_path / "cut")
    for progress in cut:
        if progress.step == 7:
            cut.close()
    (checkpoint,) = (tmp_path / "cut" / "checkpoints").glob("*/network.safetensors")
    assert any(name.startswith("discriminator.") for name in load_file(checkpoint))
    for _ in train(config, AutoencoderData(config, pictures), tmp_path / "cut"):
        pass
    whole, again = (
        load_file(tmp_path / name / "autoencoder.safetensors") for name in ("whole", "cut")
    )
    assert not any(name.startswith("discriminator.") for name in whole)
    assert whole.keys() == again.keys()
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    load_autoencoder_by_name(tmp_path / "whole")


@pytest.mark.slow
def test_copies_gain_the_grain_that_squared_error_averages_away():
    """One latent a picture cannot keep coin flips: least squares answers with grey."""
    flips = torch.Generator().manual_seed(0)
    contrast = {}
    for weight in (0.0, 2.0):
        config = run_config(weight, budget_images=16 * 400)
        state = TrainingState(config, torch.float32, compiled=False)
        for _ in range(400):
            x_0 = 2.0 * torch.randint(0, 2, (16, 1, 16, 16), generator=flips) - 1
            state.update(x_0, (), 1.0)
        with torch.no_grad():
            copies = state.network(x_0)[0]
        contrast[weight] = copies.std().item()
    assert contrast[0.0] < 0.2
    assert contrast[2.0] > 0.4


def test_an_impossible_weight_is_told(shapes_folder):
    budget = {"budget_images": 1, "budget_minutes": None}
    with pytest.raises(UserError, match="--adversarial -1: must be from 0 to 10"):
        autoencoder_config(shapes_folder, AutoencoderOptions(adversarial=-1), budget, 0)
    odd = AutoencoderOptions(4, adversarial=0.5, size=20)
    with pytest.raises(UserError, match=r"--size 20: .* stride, 8\. Use 16, or leave"):
        autoencoder_config(shapes_folder, odd, budget, 0)
    asked = autoencoder_config(shapes_folder, AutoencoderOptions(adversarial=0.5), budget, 0)
    assert asked.reconstruction.adversarial_weight == 0.5
