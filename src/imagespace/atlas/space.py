"""The space that a map is made in: principal components of pictures, and what they leave out.

A picture x becomes the vector (z_1, ..., z_k, r, f): its k = 50 first principal components, the
length r of the rest of it, and the length f of its finest detail, which noise has and pictures
have little of. For two pictures |z - z'|^2 + (r - r')^2 + (f - f')^2 <= |x - x'|^2, because the
three parts are orthogonal and two vectors are at least as far apart as their lengths: pictures
that the map holds to be far apart are so.

The latent space is the same of the latents that a model walks among, which are grids of values as
pictures are: whatever is called a picture here is then a grid of latents, [N, S, S, Z].
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagespace.errors import UserError

NUM_COMPONENTS = 50
BOXES_A_SIDE = 16
_BLOCK = 512

Describe = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Pictures [N, H, W, C] in [-1, 1] -> vectors [N, D] and two lengths [N, 2] of what they lose.

The lengths are of the coarser and the finest detail. All are divided by the root of the number of
values, so that a length is a root mean square.
"""
NUM_LENGTHS = 2  # r and f


@dataclass(frozen=True)
class PictureSpace:
    """Coordinates of pictures: k principal components and two lengths of the rest.

    `centre` [D] and `components` [k, D] with orthonormal rows; `explained` is the share of the
    variance of the vectors that the components carry.
    """

    name: str
    centre: NDArray[np.float32]
    components: NDArray[np.float32]
    explained: float
    describe: Describe

    def coordinates(
        self,
        pictures: NDArray[np.uint8] | NDArray[np.float16] | NDArray[np.float32],
        progress: Callable[[int, int], None] | None = None,
    ) -> NDArray[np.float32]:
        """[N, k + 2] of pictures [N, H, W, C], uint8 or float32 in [-1, 1] (noise: beyond).

        Of the latent space: of latents [N, S, S, Z]. UserError: it is given pixels.
        """
        if self.name == "latent" and pictures.dtype == np.uint8:
            raise UserError(
                "pictures of pixels",
                "this map is of latents",
                "Give it latents, channels last: model.encode",
            )
        parts = []
        for start in range(0, len(pictures), _BLOCK):
            vectors, lost = self.describe(as_values(pictures[start : start + _BLOCK]))
            parts.append(self._reduced(vectors, lost))
            if progress is not None:
                progress(min(start + _BLOCK, len(pictures)), len(pictures))
        return np.concatenate(parts)

    def _reduced(
        self, vectors: NDArray[np.float32], lost: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        centred = vectors - self.centre
        z = centred @ self.components.T
        left = np.maximum((centred**2).sum(axis=1) - (z**2).sum(axis=1), 0) + lost[:, 0] ** 2
        reduced: NDArray[np.float32] = np.column_stack([z, np.sqrt(left), lost[:, 1]])
        return reduced.astype(np.float32)


def fit_space(
    name: str,
    pictures: NDArray[np.uint8] | NDArray[np.float16],
    describe: Describe,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[PictureSpace, NDArray[np.float32]]:
    """The space of real pictures uint8 [N, H, W, C], and their coordinates [N, k + 2].

    Of the latent space: of their latents float16 [N, S, S, Z].
    """
    found = []
    for start in range(0, len(pictures), _BLOCK):
        found.append(describe(as_values(pictures[start : start + _BLOCK])))
        if progress is not None:
            progress(min(start + _BLOCK, len(pictures)), len(pictures))
    vectors = np.concatenate([each[0] for each in found])
    lost = np.concatenate([each[1] for each in found])
    centre = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = (vectors - centre).astype(np.float64)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    num = min(NUM_COMPONENTS, len(pictures) - 1, vectors.shape[1])
    components = directions[:, ::-1][:, :num].T
    # Eigenvectors come with either sign: the largest entry is made positive.
    largest = np.abs(components).argmax(axis=1)
    components = components * np.sign(components[np.arange(num), largest])[:, None]
    explained = float(variances[::-1][:num].sum() / max(variances.sum(), 1e-12))
    space = PictureSpace(name, centre, components.astype(np.float32), explained, describe)
    return space, space._reduced(vectors, lost)


def as_values(
    pictures: NDArray[np.uint8] | NDArray[np.float16] | NDArray[np.float32],
) -> NDArray[np.float32]:
    """uint8 as float32 in [-1, 1]; other values as they are, in float32."""
    if pictures.dtype == np.uint8:
        return np.asarray(pictures, dtype=np.float32) / 127.5 - 1
    return np.asarray(pictures, dtype=np.float32)


def describe_grid(
    pictures: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The pixel and the latent space: means of about 16 x 16 boxes, and the detail they lose.

    A picture is its box means, plus 2 x 2 means less those, plus the finest detail: orthogonal to
    each other. Boxes of an odd side have one kind of detail, which counts as the finest; a grid
    of at most 16 x 16 latents is its own boxes, and loses none. A mean counts by the root of its
    box's share of the picture, as boxes may differ by a line of pixels.
    """
    num, size = pictures.shape[:2]
    boxes = boxes_a_side(size)
    means = _box_means(pictures, boxes)
    if size % boxes:
        sides = np.diff(np.append(_edges(size, boxes), size)) * (boxes / size)
        means *= np.sqrt(np.outer(sides, sides)).astype(np.float32)[..., None]
    vectors = means.reshape(num, -1) / np.float32(means[0].size ** 0.5)
    powers = [_power(means)]
    if size % (2 * boxes) == 0:
        powers.append(_power(_box_means(pictures, size // 2)))
    else:
        powers.append(powers[0])
    powers.append(_power(pictures))
    lost = np.sqrt(np.maximum(np.diff(np.column_stack(powers), axis=1), 0))
    return vectors, lost


def _edges(size: int, boxes: int) -> NDArray[np.int64]:
    """Where boxes begin whose sides differ by a pixel at most."""
    edges: NDArray[np.int64] = np.arange(boxes) * size // boxes
    return edges


def _box_means(pictures: NDArray[np.float32], boxes: int) -> NDArray[np.float32]:
    num, size, _, channels = pictures.shape
    if size % boxes:
        edges = _edges(size, boxes)
        sides = np.diff(np.append(edges, size)).astype(np.float32)
        sums = np.add.reduceat(np.add.reduceat(pictures, edges, axis=1), edges, axis=2)
        uneven: NDArray[np.float32] = sums / (sides[:, None] * sides)[..., None]
        return uneven
    side = size // boxes
    means: NDArray[np.float32] = pictures.reshape(num, boxes, side, boxes, side, channels).mean(
        axis=(2, 4)
    )
    return means


def _power(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean square [N] of each picture's values."""
    power: NDArray[np.float32] = (pictures.reshape(len(pictures), -1) ** 2).mean(axis=1)
    return power


def boxes_a_side(size_px: int) -> int:
    """The divisor of the size that is nearest to 16, from 8 to 32; where there is none, 16.

    A side of 97 pixels, a prime, has no other divisor than itself: its 9,409 pixels (28,227 in
    colour) would be the vector, whose principal components take minutes and gigabytes.
    """
    if size_px <= BOXES_A_SIDE:
        return size_px
    divisors = [d for d in range(8, 2 * BOXES_A_SIDE + 1) if size_px % d == 0]
    return min(divisors or [BOXES_A_SIDE], key=lambda d: abs(d - BOXES_A_SIDE))


def describe_features(
    extract: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    centre: NDArray[np.float32],
    spread: NDArray[np.float32],
) -> Describe:
    """The feature space: features of pictures, each with mean 0 and variance 1 on real ones."""

    def describe(
        pictures: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        pixels = ((np.clip(pictures, -1, 1) + 1) * 127.5).round().astype(np.uint8)
        features = (extract(pixels) - centre) / spread
        vectors = features / np.float32(features.shape[1] ** 0.5)
        return vectors.astype(np.float32), np.zeros((len(pictures), NUM_LENGTHS), np.float32)

    return describe
