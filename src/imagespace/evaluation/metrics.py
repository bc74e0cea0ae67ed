"""The numbers of a report: what each is called, which way is better, and how it is written."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from imagespace.evaluation.report_file import section

NORMAL_95 = 1.959964  # standard errors on either side of the mean that hold 95 % of a normal
# Groups and baselines that are no model's: they say how to read its figures.
REFERENCES = (
    *("real", "real_known", "real_unknown", "unseen_halves", "blurred", "noise", "chance"),
    "always_commonest",
)
LABELS = {
    "real_known": "real, known",
    "real_unknown": "real, unknown",
    "blurred": "blurred real",
    "unseen_halves": "unseen, two halves",
    "always_commonest": "commonest",
    "train": "training",
    "frechet_distance": "Fréchet distance",
    "glyph_like": "glyph-like",
    "training": "pictures seen in training",
}


@dataclass(frozen=True)
class Measured:
    """One measured number; `error` is its standard error, `interval` its 95 % interval."""

    value: float
    error: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def range_95(self) -> tuple[float, float]:
        """The interval where there is one, otherwise 1.96 standard errors on either side."""
        spread = NORMAL_95 * (self.error or 0)
        return self.interval or (self.value - spread, self.value + spread)

    @property
    def sure_error(self) -> float | None:
        """The standard error, or where that is zero or unknown, the one that the interval has.

        The binomial error of a share of 0 or 1 is zero, however few were counted.
        """
        if self.error or self.interval is None:
            return self.error
        return (self.interval[1] - self.interval[0]) / (2 * NORMAL_95)


PathInReport = tuple[str, ...]
Point = tuple[float | str, Measured]  # of a curve: the number or the name measured at, and a leaf


@dataclass(frozen=True)
class Metric:
    """How a kind of number is read; `better` is None where neither direction is."""

    label: str
    better: Literal["higher", "lower"] | None = None
    is_share: bool = False


METRICS = {
    "kernel_distance": Metric("kernel distance", "lower"),
    "frechet_distance": Metric("Fréchet distance", "lower"),
    "precision": Metric("precision", "higher", is_share=True),
    "recall": Metric("recall", "higher", is_share=True),
    "density": Metric("density", "higher"),
    "coverage": Metric("coverage", "higher", is_share=True),
    "prompt_following": Metric("follows the prompt", "higher", is_share=True),
    "follows": Metric("follows the prompt", "higher", is_share=True),
    "read_right": Metric("read right", "higher", is_share=True),
    "glyph_like": Metric("glyph-like", "higher", is_share=True),
    "copies": Metric("copies", "lower", is_share=True),
    "nearest_ratio": Metric("nearest / second nearest"),
    "loss": Metric("loss", "lower"),
    "bits_per_dimension": Metric("bits per dimension", "lower"),
    "seconds_per_picture": Metric("seconds a picture", "lower"),
}


def metric_of(*path: str) -> Metric:
    """How the leaf at a path in the report is read: by the first name in it that is known."""
    known = (METRICS[name] for name in path if name in METRICS)
    return next(known, Metric(label_of(path[-1])))


def label_of(name: str) -> str:
    return LABELS.get(name, name.replace("_", " "))


def finite(entry: object) -> float | None:
    if isinstance(entry, int | float) and not isinstance(entry, bool) and abs(entry) < 1e300:
        return float(entry)
    return None


def leaf_of(entry: object) -> Measured | None:
    """An entry of a report as a leaf; None where it is none or has no finite value."""
    if not isinstance(entry, Mapping) or (value := finite(entry.get("value"))) is None:
        return None
    ends = entry.get("interval")
    low, high = map(finite, ends) if isinstance(ends, list) and len(ends) == 2 else (None, None)
    interval = None if low is None or high is None else (low, high)
    return Measured(value, finite(entry.get("error")), interval)


def leaves(part: Mapping[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Measured]:
    """Every leaf below a part of a report, by its path; what stands in lists is left out."""
    found: dict[tuple[str, ...], Measured] = {}
    for name, entry in part.items():
        if (leaf := leaf_of(entry)) is not None:
            found[(*path, str(name))] = leaf
        elif isinstance(entry, Mapping):
            found |= leaves(entry, (*path, str(name)))
    return found


def by_figure(report: Mapping[str, Any], *names: str) -> dict[str, dict[str, Measured]]:
    """The leaves of the part under these names as {figure: {group: leaf}}.

    A part holds groups, as samples and real, and these their figures, as R@1 and R@5; the figure
    is "" where the groups are leaves.
    """
    found: dict[str, dict[str, Measured]] = {}
    for (group, *figure_names), leaf in leaves(section(report, *names)).items():
        found.setdefault(" ".join(figure_names), {})[group] = leaf
    return found


class Curve(NamedTuple):
    """A figure along a curve `name`: by `entry` it stands in the points of the report."""

    name: str
    entry: str
    metric: Metric
    points: list[Point]


def curves_of(report: Mapping[str, Any]) -> Iterator[Curve]:
    """Each figure along each curve of a report; minutes are none.

    Its label says what it is and in whose features, as far as the report does in `curve_judges`.
    """
    for name, curve in section(report, "curves").items():
        figures: dict[str, list[Point]] = {}
        for entry in curve if isinstance(curve, list) else []:
            at = entry.get("at") if isinstance(entry, Mapping) else None
            if not isinstance(at, str) and (at := finite(at)) is None:
                continue
            for of, value in entry.items():
                leaf = leaf_of(value if isinstance(value, Mapping) else {"value": value})
                if of not in ("at", "minutes") and leaf is not None:
                    figures.setdefault(of, []).append((at, leaf))
        for of, points in figures.items():
            metric, by = metric_of(of), section(report, "curve_judges", name, of)
            if of == "follows" and isinstance(named := by.get("figure"), str):
                metric = replace(metric, label=named)
            elif of == "kernel_distance" and isinstance(judge := by.get("judge"), str):
                metric = replace(metric, label=f"{metric.label} in {judge} features")
            yield Curve(name, of, metric, points)


def minutes_of(report: Mapping[str, Any]) -> dict[float, float]:
    """Minutes of training at each number of pictures seen along the training curve, if known."""
    curve = section(report, "curves").get("training")
    found = {}
    for entry in curve if isinstance(curve, list) else []:
        if isinstance(entry, Mapping):
            at, minutes = finite(entry.get("at")), finite(entry.get("minutes"))
            if at is not None and minutes is not None:
                found[at] = minutes
    return found


def figure_parts(leaf: Measured, is_share: bool = False) -> tuple[str, str, str]:
    """A number, how sure it is and its unit: `52.1`, `± 1.1`, ` %`; `0`, `0.00 to 0.19`, ` %`.

    `±` is one standard error, `to` a 95 % interval. Both parts are rounded by the error, which
    keeps one digit, or two where the first is 1; a number without an error keeps three.
    """
    scale, unit = (100, " %") if is_share else (1, "")
    value, error = leaf.value * scale, abs(leaf.error or 0) * scale
    size = error or abs(value)
    exponent = math.floor(math.log10(size)) if size else 2
    digits = 3 if not error else 2 if size < 2 * 10.0**exponent else 1
    decimals = max(0, digits - 1 - exponent)
    form = f"z,.{decimals}f" if decimals <= 6 else ".2e"
    if error:
        return f"{value:{form}}", f"± {error:{form}}", unit
    if leaf.interval is None:
        return f"{value:{form}}", "", unit
    width = leaf.interval[1] - leaf.interval[0]
    ends = (figure_parts(Measured(end, width / 4), is_share)[0] for end in leaf.interval)
    return f"{value:{form}}", " to ".join(ends), unit


def figure(leaf: Measured, is_share: bool = False) -> str:
    """`52.1 ± 1.1 %`; an interval where there is no error: `0 % (0.00 to 0.19 %)`."""
    value, spread, unit = figure_parts(leaf, is_share)
    if leaf.error or not spread:
        return f"{value} {spread}".strip() + unit
    return f"{value}{unit} ({spread}{unit})"
