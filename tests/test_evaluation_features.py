"""The extractors look at pictures, not at batches, and see what they should see."""

import importlib.util

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from imagespace.errors import UserError
from imagespace.evaluation.distances import kernel_distance
from imagespace.evaluation.imagenet_features import MODULE, ImageNetFeatures, imagenet_weights
from imagespace.evaluation.quality import blurred
from imagespace.evaluation.random_features import RandomFeatures

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec(MODULE) is None, reason="the ImageNet weights' package is absent"
)


def drawings(num: int, seed: int, size_px: int = 64) -> np.ndarray:
    """Pictures of a few random lines, black on white."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(num):
        image = Image.new("L", (size_px, size_px), 255)
        pen = ImageDraw.Draw(image)
        for ends in random.integers(4, size_px - 4, (4, 4)).tolist():
            pen.line(ends, fill=0, width=3)
        found.append(np.asarray(image))
    return np.stack(found)[..., None]


def check_any_extractor(extract, same: float) -> None:
    pictures = drawings(70, seed=0)  # more than one batch
    together = extract(pictures)
    alone = np.concatenate([extract(pictures[i : i + 1]) for i in (0, 63, 64, 69)])
    np.testing.assert_allclose(alone, together[[0, 63, 64, 69]], atol=same, rtol=1e-3)
    assert np.array_equal(extract(pictures), together)
    # Blur is seen by far more than the noise between two samples of one kind.
    others = drawings(70, seed=1)
    null = kernel_distance(together, extract(others))
    soft = kernel_distance(together, extract(blurred(others)))
    assert abs(null.value) < 4 * null.error
    assert soft.value > 5 * soft.error
    assert soft.value > 10 * abs(null.value)


def test_random_features():
    check_any_extractor(RandomFeatures(1), same=1e-4)
    state = torch.random.get_rng_state()
    pictures = drawings(3, seed=0)
    first = RandomFeatures(1)(pictures)
    torch.rand(5)
    assert np.array_equal(RandomFeatures(1)(pictures), first)
    assert not np.array_equal(RandomFeatures(1, seed=1)(pictures), first)
    torch.random.set_rng_state(state)


def test_random_features_see_colour():
    red, blue = (np.zeros((1, 64, 64, 3), np.uint8) for _ in range(2))
    red[:, 20:40, 20:40, 0] = blue[:, 20:40, 20:40, 2] = 255
    extract = RandomFeatures(3)
    assert np.abs(extract(red) - extract(blue)).max() > 0.1


@needs_weights
def test_imagenet_features():
    extract = ImageNetFeatures()
    check_any_extractor(extract, same=1e-3)
    grey = drawings(4, seed=2)
    np.testing.assert_allclose(extract(grey), extract(grey.repeat(3, axis=3)), rtol=1e-4, atol=1e-5)


def agreement_with_statistics(weights) -> float:
    """How the channels' variances follow those that training stored: median over all norms."""
    stored, found = imagenet_weights(), []

    class Watching(ImageNetFeatures):
        def _norm(self, x, name):
            seen, expected = x.var(dim=(0, 2, 3)), stored[f"{name}.running_var"]
            live = (expected > 1e-6) & (seen > 1e-9)
            pair = torch.stack([seen[live].log(), expected[live].log()])
            found.append(float(torch.corrcoef(pair)[0, 1]))
            return super()._norm(x, name)

    Watching(weights)(drawings(16, seed=3, size_px=128))
    assert len(found) == 49
    return float(np.median(found))


@needs_weights
def test_the_network_is_the_one_that_the_weights_were_trained_in():
    weights = imagenet_weights()
    assert agreement_with_statistics(weights) > 0.4
    # The same numbers in another order are no ImageNet network.
    random = torch.Generator().manual_seed(0)
    shuffled = {
        name: value.flatten()[torch.randperm(value.numel(), generator=random)].view_as(value)
        if value.dim() == 4
        else value
        for name, value in weights.items()
    }
    assert abs(agreement_with_statistics(shuffled)) < 0.2


def test_other_weights_are_refused(monkeypatch, tmp_path):
    package = tmp_path / MODULE
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models" / "efficientnet-lite0-57934424.pth").write_bytes(b"other")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    with pytest.raises(UserError, match=r"imagespace\[evaluation\]"):
        imagenet_weights()
