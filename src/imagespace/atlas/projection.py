"""Where new pictures lie on a map, how wrong that is, and whether they lie on it at all.

A picture x is put at the mean of the map positions of its k nearest real pictures, each weighted
by d^-p: a copy of a real picture (d = 0) lands on it. Such a mean always lands inside the map, so
three distances are kept beside it, in units of what is usual among real pictures: that to the
nearest real picture, and how far the lengths r and f (space.py: the detail, and the finest of it)
are from the middle of theirs. Each unit is the 99.7th percentile of the same distance of real
pictures, left out one at a time; x is off the map where any exceeds 1, as at most 1 in 100 does.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagespace.atlas.neighbours import nearest
from imagespace.atlas.space import NUM_LENGTHS

CHOICES_OF_K = (1, 2, 3, 5, 8, 15)
SHARPNESS = 8.0  # the power p of the weights
OFF_MAP_QUANTILE = 1 - 0.01 / 3  # of each of the three distances
TINY = 1e-6  # below the rounding of coordinates


@dataclass(frozen=True)
class Projected:
    """New pictures on a map: positions [N, 2], the nearest real picture [N] and how far it is.

    `ratio` [N] is the largest of the three distances in their units; above 1 is off the map.
    """

    positions: NDArray[np.float32]
    nearest: NDArray[np.int64]
    ratio: NDArray[np.float32]

    @property
    def is_off_map(self) -> NDArray[np.bool_]:
        return self.ratio > 1


@dataclass(frozen=True)
class Projection:
    """Projects coordinates [M, D] by those of the map's pictures [N, D] and positions [N, 2].

    `num_neighbours` is k; `farthest` the unit of the distance to the nearest real picture; `usual`
    [2] the medians of r and f among real pictures and `unusual` [2] the units of the distances
    from them.
    """

    coordinates: NDArray[np.float32]
    positions: NDArray[np.float32]
    num_neighbours: int
    farthest: float
    usual: list[float]
    unusual: list[float]

    def __call__(self, queries: NDArray[np.float32]) -> Projected:
        indices, distances = nearest(queries, self.coordinates, self.num_neighbours)
        far = distances[:, 0] / max(self.farthest, TINY)
        lengths = queries[:, -NUM_LENGTHS:] - np.array(self.usual)
        odd = (np.abs(lengths) / np.maximum(self.unusual, TINY)).max(axis=1)
        return Projected(
            weighted_positions(self.positions, indices, distances),
            indices[:, 0],
            np.maximum(far, odd).astype(np.float32),
        )


def weighted_positions(
    positions: NDArray[np.float32], indices: NDArray[np.int64], distances: NDArray[np.float32]
) -> NDArray[np.float32]:
    """sum_j w_j y_j / sum_j w_j with w_j = (d_1 / d_j)^p over neighbours [M, k]; d_1 is nearest."""
    near = np.maximum(distances.astype(np.float64), TINY)
    weights = (near[:, :1] / near) ** SHARPNESS
    weights /= weights.sum(axis=1, keepdims=True)
    found = (weights[:, :, None] * positions[indices].astype(np.float64)).sum(axis=1)
    placed: NDArray[np.float32] = found.astype(np.float32)
    return placed


def fit_projection(
    coordinates: NDArray[np.float32],
    positions: NDArray[np.float32],
    indices: NDArray[np.int64],
    distances: NDArray[np.float32],
) -> tuple[Projection, dict[str, Any]]:
    """The projection whose k errs least when each real picture is left out, and its scores.

    `indices` and `distances` [N, k] are of the neighbours of each picture, itself not among them.
    A picture is projected from the others and compared with where the map, which was laid out
    with it, has it. The error is the median distance, and is given beside that of a position
    drawn at random from the map's own, as shares of the map's spread (the root of the variance).
    """
    spread = float(np.sqrt(positions.var(axis=0).sum()))
    errors = {}
    for num in CHOICES_OF_K:
        if num > indices.shape[1]:
            break
        found = weighted_positions(positions, indices[:, :num], distances[:, :num])
        errors[num] = float(np.median(np.linalg.norm(found - positions, axis=1)))
    best = min(errors, key=lambda num: (errors[num], num))
    # A random position for each: the map's own, moved on by half of the pictures in random order.
    order = np.random.default_rng(0).permutation(len(positions))
    moved = positions[np.roll(order, len(order) // 2)]
    at_random = float(np.median(np.linalg.norm(positions[order] - moved, axis=1)))
    farthest = float(np.quantile(distances[:, 0], OFF_MAP_QUANTILE))
    lengths = coordinates[:, -NUM_LENGTHS:].astype(np.float64)
    usual = np.median(lengths, axis=0)
    unusual = np.quantile(np.abs(lengths - usual), OFF_MAP_QUANTILE, axis=0).tolist()
    projection = Projection(coordinates, positions, best, farthest, usual.tolist(), unusual)
    scores = {
        "neighbours": best,
        "median_error": errors[best] / spread,
        "median_error_by_neighbours": {str(k): error / spread for k, error in errors.items()},
        "random_error": at_random / spread,
        "nearest_median": float(np.median(distances[:, 0])),
        "farthest": farthest,
        "lengths_median": usual.tolist(),
        "lengths_reach": unusual,
    }
    return projection, scores
