"""Standard errors: of a share, of a mean, and by the bootstrap of anything else."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray


def share_and_error(hits: ArrayLike) -> tuple[float, float]:
    """The share of hits [N] and its binomial standard error.

    The error is taken at (k + 1) / (N + 2), so that no hit or only hits do not look certain.
    """
    hit = np.asarray(hits, dtype=bool)
    num = hit.size
    smoothed = (hit.sum() + 1) / (num + 2)
    return float(hit.mean()), float((smoothed * (1 - smoothed) / num) ** 0.5)


def mean_and_error(values: ArrayLike) -> tuple[float, float]:
    """The mean of independent values [N] and its standard error, N >= 2."""
    array = np.asarray(values, dtype=np.float64)
    return float(array.mean()), float(array.std(ddof=1) / array.size**0.5)


def bootstrap_error(
    statistic: Callable[[NDArray[np.int64]], float],
    num: int,
    random: torch.Generator,
    num_draws: int = 400,
) -> float:
    """The spread of `statistic(rows)` over draws of `num` rows with replacement (Efron 1979)."""
    rows = torch.randint(num, (num_draws, num), generator=random).numpy()
    return float(np.std([statistic(draw) for draw in rows], ddof=1))
