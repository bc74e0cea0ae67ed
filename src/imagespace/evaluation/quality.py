"""How near the samples are to real pictures, between real ones and noise.

Four groups are compared with unseen real pictures: samples; real training pictures (the floor);
those blurred, and uniform noise (what a blind measure would not tell from good pictures). Where a
measure depends on the number of pictures, equally many of each group are compared. Features that
were learnt from the training pictures know those; the two halves of the unseen ones, of which they
know neither, say whether the unbiased measure is zero where it should be.
"""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from imagespace.errors import UserError
from imagespace.evaluation.distances import frechet_distance, kernel_distance, manifold
from imagespace.evaluation.kept_arrays import kept
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
        rows = subject.unseen if group == "unseen" else subject.training

        def compute() -> NDArray[np.float32]:
            pixels = subject.pixels(rows)
            if group == "blurred":
                pixels = blurred(pixels)
            elif group == "noise":
                pixels = uniform_noise(pixels.shape, subject.seed)
            return extractor.features(pixels)

        return kept(self._path(extractor, group, rows), compute)

    def training(self, extractor: Extractor) -> NDArray[np.float32]:
        """Features [M, D] of all training pictures, among which copies are sought."""
        rows = self.subject.pictures.indices("train")

        def compute() -> NDArray[np.float32]:
            parts = np.array_split(rows, max(1, len(rows) // 2048))
            return np.concatenate([extractor.features(self.subject.pixels(p)) for p in parts])

        return kept(self._path(extractor, "train", rows), compute)

    def _path(self, extractor: Extractor, group: str, rows: NDArray[np.int64]) -> Path:
        """The file of these very rows; noise depends on the seed besides."""
        subject = self.subject
        chosen = hashlib.sha256(rows.tobytes()).hexdigest()[:16]
        seed = f"-{subject.seed}" if group == "noise" else ""
        name = f"{subject.pictures.key}-{group}-{chosen}{seed}"
        return self.cache / f"{name}-{extractor.name}-{extractor.fingerprint}.npy"


def halves_of(
    points: NDArray[np.float32], seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two halves by chance: every other one would be more alike, where neighbours are."""
    order = np.random.default_rng(seed).permutation(len(points))
    return points[order[::2]], points[order[1::2]]


def quality(
    features: Features, extractor: Extractor, samples: NDArray[np.float32]
) -> tuple[dict[str, Any], list[str]]:
    """Distances of each group to unseen real pictures, and notes on those that are left out.

    `samples` are features [N, D], in the subject's order. UserError: no unseen pictures.
    """
    unseen = features.real(extractor, "unseen")
    groups, report, notes = {"samples": samples}, {}, []
    for group in ("real", "blurred", "noise"):
        try:
            groups[group] = features.real(extractor, group)
        except UserError as error:
            notes = [str(error)]
    num = min(map(len, groups.values()))
    for group, found in groups.items():
        num_pairs = features.subject.num_pairs if group == "samples" else 0
        report[group], refused = distances(found, unseen, num, num_pairs)
        notes += [note for note in refused if note not in notes]
    try:
        halves = halves_of(unseen, features.subject.seed)
        report["unseen_halves"] = {"kernel_distance": asdict(kernel_distance(*halves))}
    except UserError as error:
        notes.append(f"unseen halves: {error}")
    return report, notes


def distances(
    samples: NDArray[np.float32], real: NDArray[np.float32], num: int, num_pairs: int = 0
) -> tuple[dict[str, Any], list[str]]:
    """Distances between features [N, D] of samples and [M, D] of real pictures; why some are not.

    All but the kernel distance depend on N: they are of the first `num` samples, as many in every
    group that is compared. The first `num_pairs` samples are each of the caption of the real
    picture in its place.
    """
    measures: list[Callable[[], dict[str, Any]]] = [
        lambda: {"kernel_distance": asdict(kernel_distance(samples, real, num_pairs))},
        lambda: {"frechet_distance": asdict(frechet_distance(samples[:num], real))},
        lambda: asdict(manifold(samples[:num], real)),
    ]
    found: dict[str, Any] = {}
    refused = []
    for measure in measures:
        try:
            found |= measure()
        except UserError as error:
            refused.append(str(error))
    return found, refused
