"""The nearest neighbours of points, exactly, by blocks of matrix products."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_BLOCK = 512


def nearest(
    queries: NDArray[np.float32],
    points: NDArray[np.float32],
    num: int,
    skip_self: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The `num` nearest of points [N, D] to each of queries [M, D], nearest first.

    Indices [M, num] and Euclidean distances [M, num]. With `skip_self` the queries are the points,
    and no point is its own neighbour. |q - p|^2 = |q|^2 - 2 q.p + |p|^2 chooses; the distances of
    the chosen are then taken from the differences, so that a copy is at distance 0.
    """
    points = np.asarray(points, dtype=np.float32)
    squares = (points**2).sum(axis=1)
    num = min(num, len(points) - skip_self)
    indices = np.empty((len(queries), num), np.int64)
    distances = np.empty((len(queries), num), np.float32)
    for start in range(0, len(queries), _BLOCK):
        block = np.asarray(queries[start : start + _BLOCK], dtype=np.float32)
        rows = np.arange(len(block))
        far = squares - 2 * (block @ points.T)
        if skip_self:
            far[rows, start + rows] = np.inf
        chosen = np.argpartition(far, num - 1, axis=1)[:, :num]
        exact = np.sqrt(((block[:, None] - points[chosen]) ** 2).sum(axis=2))
        # Equal distances in the order of the points, so that nothing depends on the partition.
        order = np.lexsort((chosen, exact), axis=1)
        indices[start : start + len(block)] = np.take_along_axis(chosen, order, axis=1)
        distances[start : start + len(block)] = np.take_along_axis(exact, order, axis=1)
        if progress is not None:
            progress(start + len(block), len(queries))
    return indices, distances
