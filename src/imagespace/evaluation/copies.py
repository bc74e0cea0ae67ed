"""Count samples that copy a training picture: the nearest is far nearer than the second nearest.

A sample is a copy when its Euclidean distance to the nearest training picture is less than a third
of that to the second nearest: a ratio of distances, not of their squares (Yoon et al. 2023,
"Diffusion Probabilistic Models Generalize when They Fail to Memorize").
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from imagespace.errors import UserError

COPY_RATIO = 1 / 3
COMPARISON_SIZE_PX = 64
# Training pictures nearer to each other than this share of the median distance to the nearest other
# are one picture: else a duplicate of the copied picture would be "second nearest" and hide the
# copy. Of pictures, never further apart than a root mean square difference of 0.1 of the value
# range: among glyphs at 64 px, whose nearest others are 0.30 away in the median, that joins equal
# ones and a few such as U+6673 and U+7699 (0.08), and is nearer than all but one in 500.
SAME_SHARE, SAME_PICTURE_RMS = 1 / 3, 0.1
# Distances below this share of the points' length are the rounding of squares in float32.
ROUNDING = 1e-3
NUM_LOOKED_AT = 256  # training points from which the median is taken
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
    that differ from the nearest one (`copies_among_points`, SAME_PICTURE_RMS). UserError: shapes
    that do not match, or no two different training pictures.
    """
    if samples.ndim != 4 or training.ndim != 4 or samples.shape[3] != training.shape[3]:
        raise UserError(
            f"samples {samples.shape} and training pictures {training.shape}",
            "copies are sought among pictures [N, H, W, C] with equally many channels",
            "Give both as uint8 arrays of four dimensions.",
        )
    return copies_among_points(_points(samples), _points(training), SAME_PICTURE_RMS)


def copies_among_points(
    samples: Tensor, training: Tensor, largest_same: float = math.inf
) -> CopyReport:
    """The same among points, such as features: samples [N, D] and training [M, D].

    The second nearest is further from the nearest than `same_distance(training)`, or than
    `largest_same` where that is less. UserError: no samples, or training points that are all the
    same.
    """
    if not len(samples):
        raise UserError("no samples", "a rate needs at least one", "Generate some pictures first.")
    if not len(training):
        raise UserError("the data", "has no training pictures", "Copies are sought among them.")
    same_below = min(same_distance(training), largest_same)
    norms = training.square().sum(dim=1)
    rows: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for chunk in samples.split(_CHUNK):
        squares = _squared_distances(chunk, training, norms)
        first = squares.argmin(dim=1)
        same = _squared_distances(training[first], training, norms) < same_below**2
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
    # At a training picture itself, whatever else is near, the ratio is zero.
    apart = (distance > 0) & (second_distance > 0)
    ratio = np.divide(distance, second_distance, out=np.zeros_like(distance), where=apart)
    is_copy = ratio < COPY_RATIO
    rate = float(is_copy.mean())
    return CopyReport(rate, is_copy, nearest, second, distance, second_distance, ratio)


def same_distance(training: Tensor) -> float:
    """The distance below which two of the training points [M, D] count as one.

    SAME_SHARE of the median distance from a point to the nearest that is not equal to it, and
    more than rounding makes of equal ones.
    """
    norms = training.square().sum(dim=1)
    equal = ROUNDING * max(float(norms.mean().sqrt()), torch.finfo(torch.float32).tiny)
    chosen = training[torch.linspace(0, len(training) - 1, NUM_LOOKED_AT).long().unique()]
    nearest = []
    for chunk in chosen.split(_CHUNK):
        squares = _squared_distances(chunk, training, norms)
        nearest.append(squares.masked_fill_(squares < equal**2, torch.inf).min(dim=1).values.sqrt())
    found = torch.cat(nearest)
    found = found[found.isfinite()]
    return max(SAME_SHARE * float(found.median()), equal) if len(found) else equal


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
