"""Clusters of a map: the hills of its density, each picture belonging to the hill it stands on."""

import numpy as np
from numpy.typing import NDArray

from imagespace.atlas.density import Density

MOST_CLUSTERS = 32
SMALLEST_SHARE = 0.006  # of the pictures; smaller hills are joined to the one over their saddle
LOWEST_RISE = 0.12  # of a summit's height above its highest saddle; flatter ones are joined


def clusters_of(density: Density, positions: NDArray[np.float32]) -> NDArray[np.int64]:
    """The cluster [N] of each of positions [N, 2], numbered from the largest on.

    Cells are flooded from the highest down; where two hills meet, the meeting point is their
    saddle. Hills that rise little above their highest saddle, or carry few pictures, are joined to
    the hill on its other side (topological persistence; Chazal et al. 2013, ToMATo).
    """
    hill_of, saddles, summits = _flood(density.values.astype(np.float64))
    own = hill_of[tuple(density.cells(positions).T)]
    counts = np.bincount(own, minlength=len(summits)).astype(np.int64)
    into = np.arange(len(summits))
    heights = np.array(summits)
    smallest = max(2, round(SMALLEST_SHARE * len(positions)))
    while True:
        alive = np.flatnonzero(into == np.arange(len(into)))
        rise = {int(hill): _rise(int(hill), heights, saddles, into) for hill in alive}
        open_to = {hill: found for hill, found in rise.items() if found is not None}
        if not open_to:
            break
        small = [h for h in open_to if counts[h] < smallest]
        flat = [h for h, (share, _) in open_to.items() if share < LOWEST_RISE]
        if small:
            chosen = min(small, key=lambda h: (counts[h], h))
        elif flat or len(alive) > MOST_CLUSTERS:
            chosen = min(open_to, key=lambda h: (open_to[h][0], h))
        else:
            break
        other = open_to[chosen][1]
        kept, gone = (other, chosen) if heights[other] >= heights[chosen] else (chosen, other)
        into[into == gone] = kept
        counts[kept] += counts[gone]
    joined = into[own]
    # Islands without any neighbour may be small: they stay, and the largest come first.
    names, numbers = np.unique(joined, return_inverse=True)
    order = np.argsort(-np.bincount(numbers), kind="stable")
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return rank[numbers]


def _flood(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.int64], dict[tuple[int, int], float], list[float]]:
    """The hill of each cell, the highest saddle between each two hills, each summit's height."""
    height, width = values.shape
    hill_of = np.full((height + 2, width + 2), -1, np.int64)
    saddles: dict[tuple[int, int], float] = {}
    summits: list[float] = []
    steps = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
    floor = 1e-9 * values.max()
    padded = np.pad(values, 1, constant_values=-1.0)
    for cell in np.argsort(-values, axis=None, kind="stable"):
        row, column = divmod(int(cell), width)
        row, column = row + 1, column + 1
        around = [
            (padded[row + y, column + x], int(hill_of[row + y, column + x])) for y, x in steps
        ]
        known = [(value, hill) for value, hill in around if hill >= 0]
        value = padded[row, column]
        if not known:
            hill_of[row, column] = len(summits)
            summits.append(float(value))
            continue
        hill_of[row, column] = max(known)[1]
        if value <= floor:
            continue  # empty land joins no hills
        met = sorted({hill for _, hill in known})
        for i, first in enumerate(met):
            for second in met[i + 1 :]:
                saddles.setdefault((first, second), float(value))
    return hill_of[1:-1, 1:-1], saddles, summits


def _rise(
    hill: int,
    heights: NDArray[np.float64],
    saddles: dict[tuple[int, int], float],
    into: NDArray[np.int64],
) -> tuple[float, int] | None:
    """How far a hill rises above its highest saddle, as a share, and the hill beyond it."""
    best: tuple[float, int] | None = None
    for (first, second), saddle in saddles.items():
        one, two = int(into[first]), int(into[second])
        if one == two or hill not in (one, two):
            continue
        if best is None or saddle > best[0]:
            best = (saddle, two if one == hill else one)
    if best is None:
        return None
    # The lower of the two summits is the one that a join would lose.
    lower = min(heights[hill], heights[best[1]])
    return float((lower - best[0]) / max(lower, 1e-12)), best[1]
