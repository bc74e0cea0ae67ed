"""How often classes agree by chance alone."""

import numpy as np
from numpy.typing import NDArray


def agreement_by_chance(first: NDArray[np.int64], second: NDArray[np.int64], num: int) -> float:
    """How often independent draws from the two lists of classes [N] agree."""
    return float(np.bincount(first, minlength=num) @ np.bincount(second, minlength=num)) / (
        len(first) * len(second)
    )


def pair_agreement(classes: NDArray[np.int64]) -> float:
    """How often two different ones of the classes [N] are equal, N >= 2."""
    counts = np.unique(classes, return_counts=True)[1]
    return float((counts * (counts - 1)).sum() / (len(classes) * (len(classes) - 1)))
