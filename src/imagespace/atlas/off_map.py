"""Whether "off the map" means what it says: for pure noise, and for real pictures left out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from imagespace.atlas.projection import Projection
from imagespace.atlas.space import PictureSpace
from imagespace.randomness import generator

NUM_NOISES, MOST_REAL = 64, 1000


def off_map_scores(
    projection: Projection,
    space: PictureSpace,
    read: Callable[[NDArray[np.int64]], Any],
    shape: tuple[int, ...],
    rows: NDArray[np.int64],
    total: int,
    seed: int,
) -> dict[str, Any]:
    """The shares off the map of standard normal noise and of real pictures that are not on it.

    `read(rows)` are pictures as the space takes them, each of this shape; `rows` of `total` are on
    the map, and where all are, only the noise is scored.
    """
    random = generator(seed, "atlas/off-map")
    noise = torch.randn((NUM_NOISES, *shape), generator=random).numpy()
    found = projection(space.coordinates(noise))
    scores = {
        "noise": float(found.is_off_map.mean()),
        "noise_ratio": float(np.median(found.ratio)),
        "noise_num": NUM_NOISES,
    }
    others = np.setdiff1d(np.arange(total), rows)
    others = np.sort(others[torch.randperm(len(others), generator=random).numpy()[:MOST_REAL]])
    if len(others):
        real = projection(space.coordinates(read(others)))
        scores |= {"real": float(real.is_off_map.mean()), "real_num": len(others)}
    return scores
