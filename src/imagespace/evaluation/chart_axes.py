"""The axes of charts: which numbers they span, and where a number stands on them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imagespace.evaluation.metrics import Measured, Metric
from imagespace.page import printed


@dataclass(frozen=True)
class Axis:
    """Maps numbers from [low, high] to positions from `start` to `end`, by logarithm if `is_log`.

    What lies beyond its ends stands at them; but what lies below a logarithmic axis, as zero and
    negative numbers do, stands at `below`, outside of the scale.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    is_log: bool = False
    below: float | None = None

    def at(self, value: float) -> float:
        value = min(value, self.high)
        if value < self.low:
            return self.start if self.below is None else self.below
        ends = (self.low, self.high, value)
        low, high, here = map(math.log, ends) if self.is_log else ends
        return self.start + (self.end - self.start) * (here - low) / (high - low)

    def labels(self, is_share: bool) -> list[tuple[float, str]]:
        """(position, text) of each tick, and of what lies below."""
        labels = [(self.at(tick), tick_text(tick, is_share)) for tick in self.ticks]
        least = f"<{tick_text(self.low, is_share)}"
        return labels if self.below is None else [(self.below, least), *labels]


def axis_for(
    leaves: Sequence[Measured], metric: Metric, start: float, end: float, gap: float
) -> Axis:
    """The axis that shows these numbers best: shares from 0 to 1, far-apart ones by logarithm."""
    values = [leaf.value for leaf in leaves]
    reach = [end for leaf in leaves for end in leaf.range_95]
    if metric.is_share and min(reach) > -0.5 and max(reach) < 1.5:
        return Axis(0, 1, start, end, (0, 0.25, 0.5, 0.75, 1))
    if max(values) > 0 and max(values) >= 10 * min(map(abs, values)):
        return _log_axis(leaves, start, end, gap)
    return _linear_axis([*values, *reach], start, end)


def axis_through(places: Iterable[float], start: float, end: float) -> Axis:
    """The axis whose ticks are the places themselves, by logarithm where they are far apart."""
    ticks = tuple(sorted(set(places)))
    if len(ticks) == 1:
        return Axis(ticks[0] - 1, ticks[0] + 1, start, end, ticks)
    is_log = ticks[0] > 0 and ticks[-1] >= 10 * ticks[0]
    return Axis(ticks[0], ticks[-1], start, end, ticks, is_log)


def tick_text(value: float, is_share: bool = False) -> str:
    """`0.02`, `25 %`, `12k`, `1.5M`."""
    if is_share:
        return f"{100 * value:.3g} %"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size or (size > 1e3 and abs(value) >= size):
            return printed(f"{value / size:.3g}{unit}")
    return printed(f"{value:.6g}".replace("e-0", "e-"))


def _linear_axis(values: Sequence[float], start: float, end: float) -> Axis:
    """An axis over all values whose ends and ticks are multiples of 1, 2 or 5 times 10^n."""
    low, high = min(values), max(values)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        spread = abs(high) / 2 or 1.0
        low, high = low - spread, high + spread
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= (high - low) / 4 * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(step * i for i in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], start, end, ticks)


def _log_axis(leaves: Sequence[Measured], start: float, end: float, gap: float) -> Axis:
    """A logarithmic axis over all that is above zero; what is not stands `gap` before its start.

    A value whose whisker reaches zero, as a floor's does, is as good as zero: the axis begins at
    the whisker's other end. It spans 6 decades at most.
    """
    top = max(max(leaf.value, *leaf.range_95) for leaf in leaves)
    shown = [leaf.value if leaf.range_95[0] > 0 else max(leaf.range_95) for leaf in leaves]
    least = max(min(value for value in shown if value > 0), top / 1e6)
    exponents = range(math.floor(math.log10(least)), math.ceil(math.log10(top)) + 2)
    rounds = [m * 10.0**e for e in exponents for m in (1, 2, 5)]
    low = max(r for r in rounds if r <= least * (1 + 1e-9))
    high = min(r for r in rounds if r >= top * (1 - 1e-9) and r > low)
    decades = [10.0**e for e in exponents if low <= 10.0**e <= high]
    ticks = decades if len(decades) >= 3 else [r for r in rounds if low <= r <= high]
    below = None
    if any(min(leaf.value, *leaf.range_95) < low for leaf in leaves):
        below = start
        start += math.copysign(gap, end - start)
    return Axis(low, high, start, end, tuple(ticks), True, below)
