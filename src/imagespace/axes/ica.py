"""Independent components: FastICA with the symmetric update (Hyvarinen 1999)."""

import torch
from torch import Tensor

from imagespace.randomness import generator

_MOST_UPDATES = 500
_TOLERANCE = 1e-6


def independent(scores: Tensor, seed: int = 0) -> Tensor:
    """The rotation R [K, K] that makes white scores [N, K] as independent as it can: scores R^T.

    w <- E[z tanh(w z)] - E[1 - tanh(w z)^2] w for all rows w of R at once, then R is made
    orthogonal again, until it stays. Rows are in the order of how far they are from normal.
    """
    width = scores.shape[1]
    start = torch.randn(width, width, generator=generator(seed, "ica"), dtype=scores.dtype)
    rotation = _orthogonal(start)
    for _ in range(_MOST_UPDATES):
        bent = torch.tanh(scores @ rotation.T)
        updated = bent.T @ scores / len(scores) - (1 - bent**2).mean(dim=0)[:, None] * rotation
        updated = _orthogonal(updated)
        change = 1 - (updated * rotation).sum(dim=1).abs().min()
        rotation = updated
        if change < _TOLERANCE:
            break
    peaked = ((scores @ rotation.T) ** 4).mean(dim=0) - 3
    return rotation[peaked.abs().argsort(descending=True)]


def _orthogonal(matrix: Tensor) -> Tensor:
    left, _, right = torch.linalg.svd(matrix)
    nearest: Tensor = left @ right
    return nearest
