"""How near the samples are to real pictures, between real ones and noise.

Four groups are compared with unseen real pictures: samples; real training pictures (the floor);
those blurred, and uniform noise (what a blind measure would not tell from good pictures).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from imagespace.evaluation.distances import frechet_distance, kernel_distance, manifold
from imagespace.evaluation.subject import Subject

BLUR_FRACTION = 1 / 64  # of the picture's side: the radius of the Gaussian


@dataclass(frozen=True)
class Extractor:
    """Features float32 [N, D] of pictures uint8 [N, H, W, C]; `fingerprint` names its weights."""

    name: str
    fingerprint: str
    features: Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def blurred(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each picture uint8 [N, H, W, C] under a Gaussian of 1/64 of its side."""
    radius = pixels.shape[1] * BLUR_FRACTION
    soft = [
        np.asarray(Image.fromarray(p.squeeze()).filter(ImageFilter.GaussianBlur(radius)))
        for p in pixels
    ]
    return np.stack(soft).reshape(pixels.shape)


def uniform_noise(shape: tuple[int, ...], seed: int) -> NDArray[np.uint8]:
    """Independent uniform values, uint8."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


class Features:
    """Features of a subject's groups; those of real pictures are kept in a cache folder."""

    def __init__(self, subject: Subject, cache: Path) -> None:
        self.subject, self.cache = subject, cache

    def real(self, extractor: Extractor, group: str) -> NDArray[np.float32]:
        """Features of group "unseen", "real", "blurred" or "noise"."""
        subject = self.subject
        name = f"{subject.pictures.key}-{group}-{subject.num}-{subject.seed}"
        path = self.cache / f"{name}-{extractor.name}-{extractor.fingerprint}.npy"
        if path.is_file():
            stored: NDArray[np.float32] = np.load(path)
            return stored
        if group == "unseen":
            pixels = subject.pixels(subject.unseen)
        else:
            pixels = subject.pixels(subject.training)
            if group == "blurred":
                pixels = blurred(pixels)
            elif group == "noise":
                pixels = uniform_noise(pixels.shape, subject.seed)
        found = extractor.features(pixels)
        self.cache.mkdir(parents=True, exist_ok=True)
        np.save(path, found)
        return found

    def training(self, extractor: Extractor) -> NDArray[np.float32]:
        """Features [M, D] of all training pictures, among which copies are sought."""
        rows = self.subject.pictures.indices("train")
        name = f"{self.subject.pictures.key}-train-{extractor.name}-{extractor.fingerprint}.npy"
        if (self.cache / name).is_file():
            stored: NDArray[np.float32] = np.load(self.cache / name)
            return stored
        parts = np.array_split(rows, max(1, len(rows) // 2048))
        found = np.concatenate([extractor.features(self.subject.pixels(part)) for part in parts])
        self.cache.mkdir(parents=True, exist_ok=True)
        np.save(self.cache / name, found)
        return found


def quality(
    features: Features, extractor: Extractor, samples: NDArray[np.float32]
) -> dict[str, Any]:
    """Distances of each group to unseen real pictures; `samples` are features [N, D].

    UserError: no unseen pictures, or too few of a group for a measure.
    """
    unseen = features.real(extractor, "unseen")
    groups = {"samples": samples} | {
        group: features.real(extractor, group) for group in ("real", "blurred", "noise")
    }
    return {group: distances(found, unseen) for group, found in groups.items()}


def distances(samples: NDArray[np.float32], real: NDArray[np.float32]) -> dict[str, Any]:
    """All distances between features [N, D] of samples and [M, D] of real pictures."""
    return {
        "kernel_distance": asdict(kernel_distance(samples, real)),
        "frechet_distance": asdict(frechet_distance(samples, real)),
        **asdict(manifold(samples, real)),
    }
