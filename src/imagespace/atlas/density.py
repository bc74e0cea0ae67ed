"""How densely the pictures lie on a map: a Gaussian kernel density on a grid."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GRID = 192
BANDWIDTH = 0.3  # of Scott's rule
MARGIN = 0.06  # of the larger side, around the pictures
_KERNEL_REACH = 4.0  # standard deviations; beyond, a kernel has less than 1e-4 of its mass


@dataclass(frozen=True)
class Density:
    """`values` [rows, columns] per unit area, row 0 at the bottom, over a square window.

    `low` is its lower left corner (x, y), `side` its length, both in units of the map.
    """

    values: NDArray[np.float32]
    low: tuple[float, float]
    side: float

    @property
    def cell(self) -> float:
        """The side of a cell in units of the map."""
        return self.side / len(self.values)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """left, right, bottom, top, as matplotlib's imshow takes them with origin lower."""
        return (self.low[0], self.low[0] + self.side, self.low[1], self.low[1] + self.side)

    def cells(self, positions: NDArray[np.float32]) -> NDArray[np.int64]:
        """Row and column [N, 2] of positions [N, 2]; those outside get the nearest cell."""
        scaled = np.floor((positions - np.array(self.low)) / self.cell).astype(np.int64)
        inside: NDArray[np.int64] = np.clip(scaled, 0, len(self.values) - 1)[:, ::-1]
        return inside


def density_of(positions: NDArray[np.float32], bandwidth: float | None = None) -> Density:
    """Kernel density of positions [N, 2]: counts in cells, convolved with a Gaussian.

    The bandwidth, in units of the map, is BANDWIDTH of Scott's rule where it is not given, which is
    N^(-1/6) standard deviations and too wide for maps of many humps. The integral is 1.
    """
    if bandwidth is None:
        spread = float(np.sqrt(positions.var(axis=0).mean())) or 1.0
        bandwidth = BANDWIDTH * spread * len(positions) ** (-1 / 6)
    low, high = positions.min(axis=0), positions.max(axis=0)
    side = float((high - low).max()) or 1.0
    middle, side = (low + high) / 2, side + 2 * max(MARGIN * side, 3 * bandwidth)
    corner = middle - side / 2
    empty = Density(np.zeros((GRID, GRID), np.float32), (float(corner[0]), float(corner[1])), side)
    counts = np.zeros((GRID, GRID))
    rows, columns = empty.cells(positions).T
    np.add.at(counts, (rows, columns), 1.0)
    kernel = _kernel(max(bandwidth / empty.cell, 0.8))
    for axis in (0, 1):
        counts = np.apply_along_axis(_smooth, axis, counts, kernel)
    counts /= counts.sum() * empty.cell**2
    return Density(counts.astype(np.float32), empty.low, side)


def _kernel(std_cells: float) -> NDArray[np.float64]:
    reach = min(int(np.ceil(_KERNEL_REACH * std_cells)), GRID // 2)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / std_cells) ** 2)
    normed: NDArray[np.float64] = weights / weights.sum()
    return normed


def _smooth(line: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.convolve(line, kernel, mode="same")
