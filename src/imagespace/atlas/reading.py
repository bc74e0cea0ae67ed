"""Reading: which of a few named kinds a picture is, so that ends of walks can be coloured."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from imagespace.evaluation.radical_judge import RadicalJudge, load_radical_judge
from imagespace.pictures.radicals import radical_meanings
from imagespace.pipeline import to_pixels


class Reading(Protocol):
    """Names pictures [N, ...] by a number each."""

    what: str
    """What the numbers are, in the plural: "radicals"."""

    def __call__(self, x: Tensor) -> Tensor:
        """int64 [N]."""
        ...

    def name(self, number: int) -> str:
        """What is meant by a number, in a word or two."""
        ...


class RadicalReading:
    """The Kangxi radical that the radical judge reads in a glyph, 1 to 214."""

    what = "radicals"

    def __init__(self, judge: RadicalJudge | None = None) -> None:
        self._judge = judge or load_radical_judge(quick=True)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.from_numpy(self._judge.predict(to_pixels(x)))

    def name(self, number: int) -> str:
        return radical_meanings(number)[0]


class NearestReading:
    """The nearest of a few given pictures [K, ...], by the distance of their values."""

    what = "nearest pictures"

    def __init__(self, pictures: Tensor, names: Sequence[str]) -> None:
        self._flat, self._names = pictures.flatten(1), list(names)

    def __call__(self, x: Tensor) -> Tensor:
        distances = torch.cdist(
            x.flatten(1), self._flat, compute_mode="donot_use_mm_for_euclid_dist"
        )
        return distances.argmin(dim=1)

    def name(self, number: int) -> str:
        return self._names[number]
