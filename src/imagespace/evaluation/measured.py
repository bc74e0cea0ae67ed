"""Measured numbers as a report carries them: a value, its standard error and what it rests on."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagespace.errors import UserError
from imagespace.evaluation import wilson_interval
from imagespace.randomness import generator

Leaf = dict[str, Any]


def share(hits: ArrayLike) -> Leaf:
    """The share of hits [N] with its binomial standard error and 95 % interval.

    UserError: N is 0.
    """
    found = np.asarray(hits, dtype=bool)
    _check(len(found))
    value, num = float(found.mean()), len(found)
    error = (value * (1 - value) / num) ** 0.5
    return leaf(value, error, num) | {"interval": list(wilson_interval(int(found.sum()), num))}


def mean(values: ArrayLike) -> Leaf:
    """The mean of independent values [N] with its standard error. UserError: N is 0."""
    numbers = np.asarray(values, dtype=np.float64)
    _check(len(numbers))
    spread = float(numbers.std(ddof=1)) / len(numbers) ** 0.5 if len(numbers) > 1 else None
    return leaf(float(numbers.mean()), spread, len(numbers))


def median(values: ArrayLike, num_resamples: int = 200) -> Leaf:
    """The median of independent values [N]; its standard error by the bootstrap.

    UserError: N is 0.
    """
    numbers: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    _check(len(numbers))
    seed = generator(0, "median", len(numbers)).initial_seed()
    rows = np.random.default_rng(seed).integers(len(numbers), size=(num_resamples, len(numbers)))
    spread = float(np.median(numbers[rows], axis=1).std(ddof=1))
    return leaf(float(np.median(numbers)), spread, len(numbers))


def leaf(value: float, error: float | None, num: int | None = None) -> Leaf:
    """A number with its standard error (None: not known) and the count it rests on."""
    found: Leaf = {"value": value, "error": error}
    return found if num is None else found | {"num": num}


def _check(num: int) -> None:
    if not num:
        raise UserError("no pictures", "a figure needs at least one", "Add unseen ones")
