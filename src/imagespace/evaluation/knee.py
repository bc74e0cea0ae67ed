"""Which settings along a curve are as good as the best one, and is the model's own among them?

A setting is as good as the best if no figure there, of kernel distance and prompt following as far
as they are measured, is worse than that figure's best point by more than twice the joint standard
error sqrt(error^2 + error_best^2). The knee of the steps is the least number of them that is as
good; of guidance it is all weights that are, since either side costs the same.

The points of a curve share their prompts, seeds and real pictures, and mostly err together: the
joint error is too large rather than too small, and a setting is called as good too readily rather
than too seldom.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagespace.evaluation.metrics import METRICS, Point, curves_of, finite
from imagespace.evaluation.report_file import section

NUM_ERRORS = 2
OWN = {"steps": "num_steps", "guidance": "guidance"}  # curves with a knee: the setting's own name
COST = METRICS["seconds_per_picture"]


@dataclass(frozen=True)
class Knee:
    """The settings that are as good as the best in all figures, ascending, and the model's own.

    `figures` has those that are as good in each. None is in all where one setting is best in one
    figure and another one in another, as weights of guidance may be. `own_is_as_good` is None where
    the model's own setting was not measured.
    """

    figures: dict[str, list[float]]
    as_good: list[float]
    own: float | None
    own_is_as_good: bool | None


def knees(report: Mapping[str, Any]) -> dict[str, Knee]:
    """The knee of each curve of a report that has one: of steps and of guidance."""
    curves: dict[str, dict[str, tuple[set[float], set[float]]]] = {}
    for name, _, metric, points in curves_of(report):
        places = {at for at, _ in points if not isinstance(at, str)}
        if name in OWN and places and metric.better is not None and metric != COST:
            good = as_good(points, metric.better == "lower")
            curves.setdefault(name, {})[metric.label] = (places, good)
    found = {}
    for name, figures in curves.items():
        measured = set[float].intersection(*(places for places, _ in figures.values()))
        good = set[float].intersection(*(alone for _, alone in figures.values()))
        own = finite(section(report, "sampling").get(OWN[name]))
        own_is_as_good = own in good if own in measured else None
        each = {label: sorted(alone) for label, (_, alone) in figures.items()}
        found[name] = Knee(each, sorted(good), own, own_is_as_good)
    return found


def as_good(points: Sequence[Point], lower_is_better: bool) -> set[float]:
    """The numbers measured at whose figure is within twice the joint error of the best one's.

    Where errors are not known, they count as 0.
    """
    sign = -1 if lower_is_better else 1
    numbers = [(at, leaf) for at, leaf in points if not isinstance(at, str)]
    _, best = max(numbers, key=lambda point: sign * point[1].value)
    return {
        at
        for at, leaf in numbers
        if sign * (best.value - leaf.value)
        <= NUM_ERRORS * math.hypot(best.sure_error or 0, leaf.sure_error or 0)
    }


def sentence(name: str, knee: Knee) -> str:
    """What a page says of a knee: `The least steps that are as good as the best: 20; ...`."""
    of = f"in {' and '.join(knee.figures)}"
    own = "" if knee.own is None else f"; the model's own: {knee.own:g}"
    if knee.own is not None and not knee.own_is_as_good:
        own += ", not measured" if knee.own_is_as_good is None else ", which is not as good"
    if not knee.as_good:
        each = "; ".join(f"{label} {_listed(good)}" for label, good in knee.figures.items())
        return f"No {name} measured is as good as the best {of} at once ({each}){own}."
    if name == "steps":
        return f"The least steps that are as good as the best {of}: {knee.as_good[0]:g}{own}."
    return f"The {name} that is as good as the best {of}: {_listed(knee.as_good)}{own}."


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
