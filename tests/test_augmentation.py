"""Augmentation does exactly what its labels say, and does not leak into what is drawn."""

import math

import pytest
import torch
from pydantic import ValidationError

from imagespace.checkpoints import ModelConfig
from imagespace.networks.geometry import LARGEST_SCALE
from imagespace.networks.transformer import PatchTransformer, TransformerConfig
from imagespace.randomness import generator
from imagespace.training.augmentation import (
    LARGEST_BRIGHTNESS,
    AugmentationConfig,
    augment,
    draw_labels,
)
from imagespace.training.config import RunConfig, TrainingConfig
from imagespace.training.loop import prepare


def label(**values: float) -> torch.Tensor:
    names = ("right", "down", "scale", "flip", "brightness", "saturation")
    return torch.tensor([[values.get(name, 0.0) for name in names]])


def noise_picture(channels: int = 3, size: int = 16) -> torch.Tensor:
    return 2 * torch.rand(1, channels, size, size, generator=generator(3, "picture", 0)) - 1


def test_no_label_no_change():
    pictures = torch.cat([noise_picture(), -noise_picture()])
    labels = torch.cat([label(), label(right=1)])
    changed = augment(pictures, labels)
    assert torch.equal(changed[0], pictures[0])
    assert not torch.equal(changed[1], pictures[1])


def test_shift_moves_by_an_eighth_of_the_side():
    picture = noise_picture()
    moved = augment(picture, label(right=1, down=-0.5))
    torch.testing.assert_close(moved[..., :15, 2:], picture[..., 1:, :14], rtol=1e-4, atol=1e-5)
    # What enters from outside continues the edge.
    torch.testing.assert_close(moved[..., :15, 0], picture[..., 1:, 0], rtol=1e-4, atol=1e-5)


def test_shift_of_a_mirrored_picture_goes_the_same_way():
    picture = noise_picture()
    moved = augment(picture, label(right=1, flip=1))
    torch.testing.assert_close(moved[..., 2:], picture.flip(3)[..., :14], rtol=1e-4, atol=1e-5)


def test_scale_enlarges_by_its_exponential():
    row = torch.linspace(-1, 1, 65)
    disc = (-(row[:, None] ** 2 + row[None, :] ** 2) / 0.1).exp()[None, None]  # variance 0.05

    def width(picture: torch.Tensor) -> float:
        mass = picture[0, 0]
        return float(((mass * row**2).sum() / mass.sum()).sqrt())

    for scale in (-1.0, 1.0):
        ratio = width(augment(disc, label(scale=scale))) / width(disc)
        assert ratio == pytest.approx(math.exp(LARGEST_SCALE * scale), rel=0.01)


def test_brightness_keeps_paper_and_saturation_keeps_grey():
    picture = noise_picture() * 0.5 + 0.25  # inside the range that nothing is cut from
    darker = augment(picture, label(brightness=1))
    torch.testing.assert_close(1 - darker, (1 - picture) * math.exp(LARGEST_BRIGHTNESS))
    white = torch.ones(1, 3, 4, 4)
    assert torch.equal(augment(white, label(brightness=1, saturation=-1)), white)
    luma = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    paler = augment(picture, label(saturation=-1))
    torch.testing.assert_close((paler * luma).sum(1), (picture * luma).sum(1))
    assert paler.std(dim=1).mean() < 0.8 * picture.std(dim=1).mean()


def test_labels_come_at_the_stated_rates():
    config = AugmentationConfig(geometry=0.3, colour=0.0, flip=True)
    labels = draw_labels(config, 20_000, generator(0, "labels", 0))
    share = (labels != 0).float().mean(dim=0)
    expected = torch.tensor([0.3, 0.3, 0.3, 0.5, 0.0, 0.0])
    assert ((share - expected).abs() < 4 * (0.25 / 20_000) ** 0.5).all()
    moved = labels[:, :3] != 0
    assert torch.equal(moved.any(dim=1), moved.all(dim=1))  # the other pictures are as they are
    assert labels[:, 0][labels[:, 0] != 0].std() == pytest.approx(3**-0.5, rel=0.03)  # uniform


def test_the_sketch_moves_with_the_picture():
    torch.manual_seed(0)
    network = PatchTransformer(
        TransformerConfig(
            image_size_px=16, patch_size_px=4, width=32, depth=1, num_heads=2, max_text_tokens=4,
            sketch_side_px=8, sketch_width=16, num_augmentation_labels=6,
        )
    )  # fmt: skip
    pooled = torch.randn(3, 256)
    labels = torch.cat([label(), label(right=1, down=-1), label(flip=1, scale=0.5)])
    as_drawn, beside = network.sketched(pooled), network.sketched(pooled, labels)
    torch.testing.assert_close(beside, augment(as_drawn, labels))
    torch.testing.assert_close(beside[0], as_drawn[0])
    # An eighth of 8 px: what stood in a pixel stands in the next one to the right, one higher.
    torch.testing.assert_close(beside[1][:, :-1, 1:], as_drawn[1][:, 1:, :-1])
    assert (beside[2] - as_drawn[2]).abs().max() > 0.01


def test_a_network_that_reads_no_labels_is_refused():
    training = TrainingConfig(budget_images=1, augmentation=AugmentationConfig(geometry=0.5))
    with pytest.raises(ValidationError, match=r"num_augmentation_labels is 0.* has 6"):
        RunConfig(recipe="x", training=training)


def test_mirroring_does_not_leak_into_what_is_asked_for():
    """One picture, half of the time shown mirrored: told nothing, the network draws it as it is."""
    network = TransformerConfig(
        image_size_px=8, patch_size_px=2, width=48, depth=2, num_heads=2, max_text_tokens=0
    ).model_copy(update={"num_augmentation_labels": 6})
    augmentation = AugmentationConfig(flip=True)
    training = TrainingConfig(
        budget_images=1, augmentation=augmentation, precision="float32", compile=False
    )
    config = RunConfig(recipe="x", model=ModelConfig(network=network), training=training)
    state = prepare(config)
    picture = torch.ones(1, 1, 8, 8)
    picture[..., 3:5, :3] = -1
    no_text = torch.zeros(32, 0, network.text_width)
    for step in range(300):
        labels = draw_labels(augmentation, 32, generator(0, "labels", step))
        shown = augment(picture.expand(32, -1, -1, -1), labels)
        state.update(shown, (no_text, labels), min(1.0, (300 - step) / 50))
    noise = torch.randn(16, 1, 8, 8, generator=generator(1, "noise", 0))
    late = torch.full((16,), 0.9)
    with torch.inference_mode():
        plain = state.network(noise, late, no_text[:16]).mean(dim=0, keepdim=True)
        mirrored = state.network(noise, late, no_text[:16], label(flip=1).expand(16, -1))
    # What leaks would be the mean of both: from pure noise nothing else tells them apart.
    leak = ((picture.flip(3) - picture) / 2).square().mean()
    assert (plain - picture).square().mean() < 0.1 * leak
    assert (mirrored.mean(0) - picture.flip(3)).square().mean() < 0.1 * leak
