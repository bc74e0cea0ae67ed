"""Whatever device a network computes on, everything that it meets is brought there.

Torch's meta device computes shapes alone, and refuses tensors of another device as a graphics card
does: a training step that passes here mixes no devices. Numbers need the card itself.
"""

import pytest
import torch

import imagespace
from imagespace.device import device_named, unused_card
from imagespace.diffusion.denoiser import NetworkDenoiser
from imagespace.diffusion.schedule import RectifiedFlow
from imagespace.errors import UserError
from imagespace.networks.autoencoder import AutoencoderConfig
from imagespace.networks.bottleneck import shifted
from imagespace.networks.sketch import Sketch
from imagespace.networks.transformer import PatchTransformer, TransformerConfig
from imagespace.recipes.named import sketched, varied
from imagespace.training.config import (
    AutoencoderRun,
    ReconstructionConfig,
    RunConfig,
    TrainingConfig,
)
from imagespace.training.loop import TrainingState
from imagespace.training.muon import orthogonalise
from imagespace.training.sketch_fit import fit_sketch

META = torch.device("meta")


@pytest.fixture
def no_values(monkeypatch):
    """What is asked for its value is 1: a meta tensor has none. Its gradients are clipped."""
    values = torch.Tensor.item
    monkeypatch.setattr(torch.nn.utils.clip_grad, "_device_has_foreach_support", lambda on: True)
    monkeypatch.setattr(
        torch.Tensor, "item", lambda one: 1.0 if one.device.type == "meta" else values(one)
    )


def diffusion(schedule: str, prediction: str, optimizer: str) -> RunConfig:
    network = TransformerConfig(
        image_size_px=16, patch_size_px=4, width=32, depth=2, num_heads=2, max_text_tokens=4
    )
    run = RunConfig(
        recipe="tiny",
        training=TrainingConfig(budget_images=64, batch_size=8, matrix_optimizer=optimizer),
    )
    objective = run.model.objective.model_copy(
        update={"schedule": schedule, "prediction": prediction}
    )
    changes = {"network": sketched(network), "objective": objective}
    run = run.model_copy(update={"model": run.model.model_copy(update=changes)})
    return varied(run, geometry=0.5)


@pytest.mark.parametrize(
    "run",
    [
        diffusion("rectified_flow", "x0", "muon"),
        diffusion("ddpm_linear", "eps", "adamw"),
        diffusion("cosine", "velocity", "muon"),
        diffusion("edm", "x0", "muon"),
    ],
    ids=["rectified_flow", "ddpm_linear", "cosine", "edm"],
)
def test_a_training_step_mixes_no_devices(run, no_values):
    state = TrainingState(run, torch.float32, False, META)
    told = (torch.randn(8, 4, 256), torch.zeros(8, 6))
    for _ in range(2):
        assert state.update(torch.randn(8, 1, 16, 16), told, 1.0) == 1.0
    for tensors in state.tensors().values():
        assert {one.device.type for one in tensors.values() if one.dim()} == {"meta"}


def test_a_step_of_an_autoencoder_mixes_no_devices(no_values):
    run = AutoencoderRun(
        recipe="autoencoder",
        autoencoder=AutoencoderConfig(downsampling=4, width=8, depth=1),
        image_size_px=32,
        reconstruction=ReconstructionConfig(kl_weight=0.1, adversarial_weight=0.5),
        training=TrainingConfig(budget_images=64, batch_size=4),
    )
    state = TrainingState(run, torch.float32, False, META)
    assert state.update(torch.randn(4, 1, 32, 32), (), 1.0) == 1.0


def test_mixing_them_would_be_noticed():
    with pytest.raises(RuntimeError, match="device"):
        torch.zeros(3, device=META) + torch.zeros(3)
    assert orthogonalise(torch.zeros(4, 16, device=META), torch.float32).device == META


def test_sketches_are_fitted_where_they_are():
    sketch = Sketch(8, 16, 1, 4).to(META)

    def batch(rows, random):
        return torch.randn(len(rows), 1, 16, 16), torch.randn(len(rows), 4, 8)

    training = TrainingConfig(budget_images=512)
    fit_sketch(sketch, torch.arange(64).numpy(), batch, training)
    assert {weight.device.type for weight in sketch.parameters()} == {"meta"}


def test_a_network_is_shown_points_on_its_device_and_answers_on_theirs():
    def network(x_t, t, condition):
        assert {x_t.device, t.device, condition.device} == {META}
        return torch.ones(x_t.shape)  # of a card, this would be moved back

    condition = torch.zeros(2, 4, 256, device=META)
    denoiser = NetworkDenoiser(network, RectifiedFlow(), "x0", condition)
    answer = denoiser(torch.randn(2, 1, 8, 8), torch.tensor(0.5))
    assert answer.device.type == "cpu"
    assert bool((answer == 1).all())


@pytest.mark.filterwarnings("ignore:.*no-op")
def test_a_checkpoint_of_the_processor_is_restored_on_the_device(no_values):
    run = diffusion("rectified_flow", "x0", "muon")
    told = (torch.randn(8, 4, 256), torch.zeros(8, 6))
    before = TrainingState(run, torch.float32, False)
    before.update(torch.randn(8, 1, 16, 16), told, 1.0)
    after = TrainingState(run, torch.float32, False, META)
    after.restore(before.tensors(), {"step": before.step, "elapsed_s": 1.0})
    assert after.update(torch.randn(8, 1, 16, 16), told, 1.0) == 1.0
    assert after.step == 2


def test_a_shift_of_the_bottleneck_is_brought_to_the_network():
    shape = {"image_size_px": 16, "patch_size_px": 4, "width": 32, "depth": 2, "num_heads": 2}
    network = PatchTransformer(TransformerConfig(max_text_tokens=4, **shape)).to(META)
    inputs = (torch.zeros(2, 1, 16, 16), torch.zeros(2), torch.zeros(2, 4, 256))
    with shifted(network, torch.ones(16, 32)):
        assert network(*(part.to(META) for part in inputs)).device == META


@pytest.mark.parametrize(
    ("name", "words"),
    [("gpu", "device gpu: is none"), ("meta", "is none"), ("cuda:99", "cannot use it")],
)
def test_a_device_that_is_not_here_is_refused(name, words, refusal):
    with pytest.raises(UserError, match=words):
        device_named(name)
    with pytest.raises(UserError, match=words):
        imagespace.load("glyphs", device=name)
    assert name in refusal("train", "moons", "--device", name)


def test_a_card_that_stands_idle_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "GeForce")
    assert unused_card(torch.device("cpu")) == ("GeForce is not used; --device cuda trains on it")
    assert unused_card(torch.device("cuda")) == ""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert unused_card(torch.device("cpu")) == ""


@pytest.mark.skipif(not torch.cuda.is_available(), reason="takes a graphics card")
def test_a_card_draws_the_same_picture():
    ours = imagespace.load("glyphs").generate("fish", num=2, num_steps=4).pixels.astype(int)
    theirs = imagespace.load("glyphs", device="cuda").generate("fish", num=2, num_steps=4)
    assert abs(ours - theirs.pixels.astype(int)).max() <= 2
