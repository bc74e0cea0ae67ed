"""How wrong the projection is about pictures that the map was made without.

A map A is made of some pictures, a map B of the same and of others that were held out, started
from A with the others at random places. B is turned, scaled and moved onto A by the pictures that
both hold (orthogonal Procrustes). The projection, which knows A alone, is then compared with where
B puts the held-out pictures; how far B moved the others is the least error that can be expected.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagespace.atlas.layout import NUM_NEIGHBOURS, lay_out
from imagespace.atlas.neighbours import nearest
from imagespace.atlas.projection import fit_projection
from imagespace.randomness import generator

MOST_MAPPED, HELD_OUT_SHARE = 1000, 0.1


def refit_scores(coordinates: NDArray[np.float32], seed: int) -> dict[str, Any]:
    """Median errors as shares of the map's spread, on at most 1,000 pictures and a tenth more."""
    chosen = generator(seed, "atlas/refit").initial_seed()
    random = np.random.default_rng(chosen)
    order = random.permutation(len(coordinates))
    num = min(MOST_MAPPED, round(len(order) / (1 + HELD_OUT_SHARE)))
    mapped = coordinates[order[:num]]
    held_out = coordinates[order[num : num + round(HELD_OUT_SHARE * num)]]
    neighbours = nearest(mapped, mapped, NUM_NEIGHBOURS, skip_self=True)
    before = lay_out(mapped, *neighbours, seed)
    projection, _ = fit_projection(mapped, before, *neighbours)
    projected = projection(held_out).positions
    low, high = before.min(axis=0), before.max(axis=0)
    start = np.vstack([before, random.uniform(low, high, (len(held_out), 2))]).astype(np.float32)
    together = np.vstack([mapped, held_out])
    again = nearest(together, together, NUM_NEIGHBOURS, skip_self=True)
    after = aligned(lay_out(together, *again, seed, init=start), before)
    spread = float(np.sqrt(before.var(axis=0).sum()))
    error = np.linalg.norm(projected - after[num:], axis=1)
    moved = np.linalg.norm(after[:num] - before, axis=1)
    elsewhere = np.linalg.norm(after[num:] - np.roll(after[num:], 1, axis=0), axis=1)
    return {
        "num_mapped": num,
        "num_held_out": len(held_out),
        "median_error": float(np.median(error)) / spread,
        "refit_moves": float(np.median(moved)) / spread,
        "random_error": float(np.median(elsewhere)) / spread,
    }


def aligned(positions: NDArray[np.float32], onto: NDArray[np.float32]) -> NDArray[np.float32]:
    """positions [M, 2] turned, mirrored, scaled and moved so that the first N fit onto [N, 2] best.

    Orthogonal Procrustes: with both centred, R = U V^T of the SVD of positions^T onto, and the
    scale is the sum of the singular values over |positions|^2 (Schoenemann 1966).
    """
    own, target = positions[: len(onto)].astype(np.float64), onto.astype(np.float64)
    own_middle, middle = own.mean(axis=0), target.mean(axis=0)
    u, sizes, vt = np.linalg.svd((own - own_middle).T @ (target - middle))
    scale = sizes.sum() / max(((own - own_middle) ** 2).sum(), 1e-12)
    turned = scale * (positions.astype(np.float64) - own_middle) @ (u @ vt) + middle
    found: NDArray[np.float32] = turned.astype(np.float32)
    return found
