"""Count samples that copy a training picture: the nearest is far nearer than the second nearest.

A sample is a copy when its Euclidean distance to the nearest training picture is less than a third
of that to the second nearest: a ratio of distances, not of their squares (Yoon et al. 2023,
"Diffusion Probabilistic Models Generalize when They Fail to Memorize").
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from imagespace.errors import UserError

COPY_RATIO = 1 / 3
COMPARISON_SIZE_PX = 64
# Training pictures whose root mean square difference is below this share of the value range are
# one picture: else a duplicate of the copied picture would be "second nearest" and hide the copy.
# Among glyphs at 64 px it joins equal ones and a few such as U+6673 and U+7699 (0.08); the
# nearest neighbour of a glyph is 0.30 away in the median, and nearer than 0.1 for one in 500.
SAME_PICTURE_RMS = 0.1
_CHUNK = 128  # samples per matrix product, so that memory stays bounded


@dataclass(frozen=True)
class CopyReport:
    """The copies among N samples; row i of every array is sample i.

    `nearest` and `second` are rows of the training pictures; `distance` and `second_distance` are
    Euclidean distances, of pictures divided by the root of the number of pixels (so root mean
    square differences, in [0, 1]); `ratio` is their quotient.
    """

    rate: float
    is_copy: NDArray[np.bool_]
    nearest: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: NDArray[np.float64]
    second_distance: NDArray[np.float64]
    ratio: NDArray[np.float64]


def copy_rate(samples: NDArray[np.uint8], training: NDArray[np.uint8]) -> CopyReport:
    """Compare samples [N, H, W, C] with training pictures [M, H, W, C], both uint8, at 64 px.

    Pictures above 64 px are box-filtered. The second nearest is the nearest among the pictures
    that differ from the nearest one by at least SAME_PICTURE_RMS. UserError: shapes that do not
    match, or no two different training pictures.
    """
    if samples.ndim != 4 or training.ndim != 4 or samples.shape[3] != training.shape[3]:
        raise UserError(
            f"samples {samples.shape} and training pictures {training.shape}",
            "copies are sought among pictures [N, H, W, C] with equally many channels",
            "Give both as uint8 arrays of four dimensions.",
        )
    return copies_among_points(_points(samples), _points(training), SAME_PICTURE_RMS)


def copies_among_points(samples: Tensor, training: Tensor, same_distance: float) -> CopyReport:
    """The same among points, such as features: samples [N, D] and training [M, D].

    The second nearest is at least `same_distance` from the nearest. UserError: no samples, or
    training points that are all the same.
    """
    if not len(samples):
        raise UserError("no samples", "a rate needs at least one", "Generate some pictures first.")
    norms = training.square().sum(dim=1)
    rows: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for chunk in samples.split(_CHUNK):
        squares = _squared_distances(chunk, training, norms)
        first = squares.argmin(dim=1)
        same = _squared_distances(training[first], training, norms) < same_distance**2
        same.scatter_(1, first[:, None], True)
        if bool(same.all(dim=1).any()):
            raise UserError(
                f"{len(training)} training pictures",
                "a copy is defined by the second nearest, and they are all the same picture",
                "Give at least two different training pictures.",
            )
        runner_up = squares.masked_fill_(same, torch.inf).argmin(dim=1)
        # Differences are exact where the expanded square is not: near zero, where copies lie.
        gap, next_gap = chunk - training[first], chunk - training[runner_up]
        lengths = (torch.linalg.vector_norm(g, dim=1).double() for g in (gap, next_gap))
        rows.append((first, runner_up, *lengths))
    nearest, second, distance, second_distance = (
        torch.cat(column).numpy() for column in zip(*rows, strict=True)
    )
    ratio = distance / second_distance
    is_copy = ratio < COPY_RATIO
    rate = float(is_copy.mean())
    return CopyReport(rate, is_copy, nearest, second, distance, second_distance, ratio)


def nearest_distances(points: Tensor, training: Tensor) -> Tensor:
    """The Euclidean distance [N] of each point [N, D] to the nearest of training [M, D]."""
    norms = training.square().sum(dim=1)
    found = [
        _squared_distances(chunk, training, norms).min(dim=1).values.sqrt()
        for chunk in points.split(_CHUNK)
    ]
    return torch.cat(found)


def _points(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 [N, H, W, C] -> float32 [N, D], scaled so that distances are root mean squares."""
    parts: list[Tensor] = [torch.empty(0, COMPARISON_SIZE_PX**2 * pixels.shape[3])]
    for start in range(0, len(pixels), 1024):
        part = torch.tensor(pixels[start : start + 1024]).permute(0, 3, 1, 2).float() / 255
        if part.shape[2:] != (COMPARISON_SIZE_PX, COMPARISON_SIZE_PX):
            part = F.adaptive_avg_pool2d(part, COMPARISON_SIZE_PX)
        parts.append(part.flatten(1) / part[0].numel() ** 0.5)
    return torch.cat(parts)


def _squared_distances(left: Tensor, right: Tensor, right_norms: Tensor) -> Tensor:
    """|a - b|^2 = |a|^2 - 2 a.b + |b|^2 for rows [N, D] and [M, D] -> [N, M]."""
    squares = left.square().sum(dim=1)[:, None] + right_norms
    return torch.addmm(squares, left, right.T, alpha=-2).clamp_(min=0)
