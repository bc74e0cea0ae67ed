"""Pictures that are nearly the same: copies, resized or recompressed ones, slight retouches."""

import numpy as np
from numpy.typing import NDArray

SIDE_PX = 32
# Of a picture's contrast: copies at half the size or as JPEG of quality 30 stay below 0.04 among
# 128 px glyphs and mostly below 0.12 among 64 px emoji; of distinct glyphs, 0.1 % come within 0.33.
NEAR = 0.12
_LEAST_LEVELS = 2.0  # of 255: rounding and compression of flat pictures
_CELLS = 4  # a side is cut into 4: a small retouch is not averaged away
_BLOCKS = 8  # block means a side: a distance that is never above the true one
_NUM_AXES = 48
_ROWS = 256
_CHUNK = 2048


def contrasts(small: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Root mean square distance of each picture's pixels from its mean colour, in levels of 255."""
    found = np.empty(len(small), np.float32)
    for start in range(0, len(small), _CHUNK):
        values = small[start : start + _CHUNK].astype(np.float32)
        values -= values.mean(axis=(1, 2), keepdims=True)
        found[start : start + _CHUNK] = np.sqrt(np.square(values).mean(axis=(1, 2, 3)))
    return found


def near_duplicates(small: NDArray[np.uint8], near: float = NEAR) -> list[list[int]]:
    """Groups of two or more rows of `small`, uint8 [N, 32, 32, 3], that look nearly the same.

    Two pictures are near if, after smoothing, their root mean square difference in every sixteenth
    of the picture is at most `near` times the contrast, or 2 levels. Each group has a picture
    that all others in it are near to, and no picture is in two groups. None is overlooked by a
    hash: candidates are those whose block means are near enough, found by matrix products along
    the axis in which the pictures differ most.
    """
    if len(small) < 2:
        return []
    axes = _projected(small)
    radius = np.maximum(_LEAST_LEVELS, near * contrasts(small))
    order = np.argsort(axes[:, 0], kind="stable")
    axes, radius = axes[order], radius[order]
    squares = np.square(axes).sum(axis=1)
    is_grouped = np.zeros(len(small), bool)
    groups: list[list[int]] = []
    for start in range(0, len(small), _ROWS):
        stop = min(start + _ROWS, len(small))
        reach = (axes[start:stop, 0] + radius[start:stop]).max()
        end = int(np.searchsorted(axes[:, 0], reach, side="right"))
        distances = (
            squares[start:stop, None]
            + squares[start:end]
            - 2 * (axes[start:stop] @ axes[start:end].T)
        )
        # What float32 loses of squares of this size must not lose a pair.
        slack = 1e-5 * squares[start:end].max()
        is_candidate = distances <= np.square(radius[start:stop])[:, None] * 1.001 + slack
        for row in np.flatnonzero(is_candidate.sum(axis=1) > 1):
            leader = start + int(row)
            others = start + np.flatnonzero(is_candidate[row])
            others = others[(others > leader) & ~is_grouped[others]]
            if is_grouped[leader] or not len(others):
                continue
            own = others[_differences(small, order[leader], order[others]) <= radius[leader]]
            if len(own):
                is_grouped[own] = is_grouped[leader] = True
                groups.append(sorted(int(order[member]) for member in (leader, *own)))
    return sorted(groups)


def _smoothed(small: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Each picture under the binomial filter (1, 2, 1) / 4 along both sides: float32."""
    values = small.astype(np.float32)
    for axis in (1, 2):
        widths = [(0, 0)] * 4
        widths[axis] = (1, 1)
        padded = np.pad(values, widths, mode="edge")
        before, middle, after = (
            np.take(padded, range(shift, shift + SIDE_PX), axis=axis) for shift in (0, 1, 2)
        )
        values = (before + 2 * middle + after) / 4
    return values


def _differences(
    small: NDArray[np.uint8], first: np.int64, others: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The greatest difference, over the cells of the picture, between `first` and each other."""
    one = _smoothed(small[first : first + 1])
    found = np.empty(len(others), np.float32)
    side = SIDE_PX // _CELLS
    for start in range(0, len(others), _CHUNK):
        chunk = _smoothed(small[others[start : start + _CHUNK]]) - one
        cells = np.square(chunk).reshape(len(chunk), _CELLS, side, _CELLS, side, 3)
        found[start : start + _CHUNK] = np.sqrt(cells.mean(axis=(2, 4, 5)).max(axis=(1, 2)))
    return found


def _projected(small: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Coordinates [N, 48] whose distances never exceed the pictures' mean difference.

    Means of blocks cannot differ by more than the pixels do, and a rotation onto the axes of
    greatest variance, the greatest first, changes no distance.
    """
    side = SIDE_PX // _BLOCKS
    means = np.empty((len(small), _BLOCKS * _BLOCKS * 3), np.float32)
    for start in range(0, len(small), _CHUNK):
        chunk = _smoothed(small[start : start + _CHUNK])
        blocks = chunk.reshape(len(chunk), _BLOCKS, side, _BLOCKS, side, 3).mean(axis=(2, 4))
        means[start : start + _CHUNK] = blocks.reshape(len(chunk), -1)
    means /= np.float32(np.sqrt(means.shape[1]))
    means -= means.mean(axis=0)
    _, vectors = np.linalg.eigh((means.T @ means).astype(np.float64))
    return means @ vectors[:, ::-1][:, :_NUM_AXES].astype(np.float32)
