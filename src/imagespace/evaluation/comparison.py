"""Puts the reports of several models side by side, and says which differences exceed the noise.

Two numbers differ by z = (a - b) / sqrt(error_a^2 + error_b^2). Among many such z some are large by
chance. A difference counts only above a threshold that Holm's method sets for all of them together:
the chance that even one that counts is chance is at most 5 % (Holm 1979, Scand. J. Statist. 6).

Models that are judged against the same pictures, from the same seeds, mostly err together: then z
is too small rather than too large, and what exceeds the noise does so all the more.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Any

from imagespace.evaluation.comparability import (
    Reports,
    check_comparable,
    curve_differs,
    left_out_of,
    model_labels,
)
from imagespace.evaluation.metrics import (
    REFERENCES,
    Curve,
    Measured,
    PathInReport,
    curves_of,
    figure,
    label_of,
    leaves,
    metric_of,
)
from imagespace.evaluation.report_file import section

FALSE_ALARMS = 0.05  # the chance that any difference is reported where there is none
FACTS = ("num_samples", "num_real", "seed", "date", "imagespace", "torch", "arithmetic")
Figures = dict[PathInReport, list[Measured | None]]


@dataclass(frozen=True)
class Difference:
    """One number of two models: `path` is where it stands in both reports, as a dotted name."""

    path: str
    models: tuple[str, str]
    z_score: float
    exceeds_noise: bool


@dataclass(frozen=True)
class Comparison:
    """What the reports share.

    `figures` has, by path, the number of each model (None: not measured). `differences` are those
    of what the models draw, `references` those of the real pictures, chance and the like, which
    should not differ. A difference exceeds the noise where |z| > `threshold`.
    """

    models: list[str]
    figures: Figures
    differences: list[Difference]
    references: list[Difference]
    threshold: float
    notes: list[str]

    def of(self, path: PathInReport) -> list[Difference]:
        """The differences at a path, each pair of models once."""
        name = ".".join(path)
        return [d for d in (*self.differences, *self.references) if d.path == name]

    def wins(self, path: PathInReport) -> list[tuple[str, str, float]]:
        """(model, other, z) beyond the noise: better, or higher where neither way is better."""
        sign = -1 if metric_of(*path).better == "lower" else 1
        return [
            (*(d.models if sign * d.z_score > 0 else d.models[::-1]), d.z_score)
            for d in self.of(path)
            if d.exceeds_noise
        ]

    def verdict(self, path: PathInReport) -> str:
        """`B better than A (z 4.4)` for what exceeds the noise; otherwise `within the noise`."""
        beaten: dict[str, list[str]] = {}
        for model, other, score in self.wins(path):
            beaten.setdefault(model, []).append(f"{other} ({_z_text(score)})")
        word = "better" if metric_of(*path).better else "higher"
        said = [f"{model} {word} than {', '.join(others)}" for model, others in beaten.items()]
        return "; ".join(said) or ("within the noise" if self.of(path) else "not compared")

    def summary(self) -> str:
        if not self.differences:
            return "Nothing that was measured of them can be compared"
        exceeding = sum(difference.exceeds_noise for difference in self.differences)
        return (
            f"{exceeding} of {len(self.differences)} differences exceed the noise: "
            f"|z| > {self.threshold:.2f}, which chance alone passes in at most "
            f"{100 * FALSE_ALARMS:g} % of comparisons (Holm)"
        )


def compare(reports: Reports) -> Comparison:
    """Compares every number that at least two reports carry with its standard error.

    Points of curves are left out: they are the same models at other settings. So is what was
    measured by a judge (a feature network, the radical judge, the reader) that is another one in
    some report: figures of two judges are no difference of models. Nor are those of the same
    pictures at two sizes, in grey and in colour, or losses in two spaces.

    UserError: as `check_comparable`.
    """
    check_comparable(reports)
    models = model_labels(reports)
    found = [leaves(report) for report in reports]
    left_out, notes = left_out_of(reports)
    figures: Figures = {}
    for path in dict.fromkeys(path for of_one in found for path in of_one):
        row = [of_one.get(path) for of_one in found]
        if sum(leaf is not None for leaf in row) > 1 and not left_out(path):
            figures[path] = row
    others = {path: row for path, row in figures.items() if set(path) & set(REFERENCES)}
    own = {path: row for path, row in figures.items() if path not in others}
    differences, threshold = _differences(models, own)
    references, _ = _differences(models, others)
    notes += [
        f"{metric.label} by {label_of(name)} is not compared: its judges, or the sizes of the "
        "pictures that they saw, differ"
        for name, entry, metric, _ in _curves_of_all(reports)
        if curve_differs(reports, name, entry)
    ]
    notes += _notes(reports, models)
    notes += [
        f"{d.path} is no model's, and yet differs between {' and '.join(d.models)} "
        f"({_z_text(d.z_score)}): were they judged alike?"
        for d in references
        if d.exceeds_noise
    ]
    return Comparison(models, figures, differences, references, threshold, notes)


def z_score(first: Measured, second: Measured) -> float | None:
    """(a - b) / sqrt(error_a^2 + error_b^2); None where an error is not known.

    Without any error, equal numbers give 0 and different ones an infinity.
    """
    error_a, error_b = first.sure_error, second.sure_error
    if error_a is None or error_b is None:
        return None
    difference, error = first.value - second.value, math.hypot(error_a, error_b)
    if difference == 0:
        return 0.0
    return difference / error if error > 0 else math.copysign(math.inf, difference)


def holm_threshold(z_scores: Iterable[float]) -> float:
    """The |z| above which scores differ from chance, all of them taken together.

    Holm's method goes down from the largest of m scores, which has to pass the two-sided quantile
    at FALSE_ALARMS / m, the next one at FALSE_ALARMS / (m - 1), and stops at the first that fails:
    exactly those above that score's quantile have passed.
    """
    sizes = sorted(map(abs, z_scores), reverse=True)
    threshold = NormalDist().inv_cdf(1 - FALSE_ALARMS / 2)
    for rank, size in enumerate(sizes):
        threshold = NormalDist().inv_cdf(1 - FALSE_ALARMS / (2 * (len(sizes) - rank)))
        if size <= threshold:
            break
    return threshold


def _differences(models: Sequence[str], figures: Figures) -> tuple[list[Difference], float]:
    """Each pair of models at each path, and the threshold that they share."""
    scored = []
    for path, row in figures.items():
        for (model, one), (other, two) in combinations(zip(models, row, strict=True), 2):
            if one and two and (score := z_score(one, two)) is not None:
                scored.append((".".join(path), (model, other), score))
    threshold = holm_threshold(score for *_, score in scored)
    return [Difference(*one, abs(one[-1]) > threshold) for one in scored], threshold


def _curves_of_all(reports: Reports) -> list[Curve]:
    """Each figure along each curve of any report, once."""
    found = {(own.name, own.entry): own for report in reports for own in curves_of(report)}
    return list(found.values())


def set_up(reports: Reports) -> dict[str, list[Any]]:
    """What was done for each report rather than found, by name; None where it does not say."""
    facts = [
        {name: section(report, "model").get(name) for name in ("source", "sha256")}
        | section(report, "sampling")
        | {name: report.get(name) for name in FACTS}
        | {"loss_space": section(report, "newness").get("loss_space")}
        for report in reports
    ]
    return {name: [one.get(name) for one in facts] for of_one in facts for name in of_one}


def _notes(reports: Reports, models: list[str]) -> list[str]:
    """How the reports differ in what was done, and what is not in all of them."""
    notes, facts = [], set_up(reports)
    for name, values in facts.items():
        told = name in ("source", "sha256", "date", "loss_space")
        if not told and any(value != values[0] for value in values):
            each = [f"{model} {value}" for model, value in zip(models, values, strict=True)]
            notes.append(f"{label_of(name)} differs: {', '.join(each)}")
    weights = zip(models, facts["sha256"], strict=True)
    for (model, own), (other, its) in combinations(weights, 2):
        if own is not None and own == its:
            notes.append(f"{model} and {other} are the same weights")
    parts = [dict.fromkeys(path[:2] for path in leaves(report)) for report in reports]
    for part in dict.fromkeys(part for own in parts for part in own):
        without = [model for model, own in zip(models, parts, strict=True) if part not in own]
        if without:
            notes.append(f"{'.'.join(part)} is missing from {', '.join(without)}")
    return notes


def _z_text(score: float) -> str:
    return f"z {abs(score):.1f}" if abs(score) < 100 else "z > 99"


def comparison_text(comparison: Comparison) -> str:
    """One table of what the models draw; `*` marks lines with a difference beyond the noise."""
    lines = [["", *comparison.models, ""]]
    for path, row in comparison.figures.items():
        if not set(path) & set(REFERENCES):
            mark, is_share = "*" if comparison.wins(path) else " ", metric_of(*path).is_share
            shown = ["n/a" if leaf is None else figure(leaf, is_share) for leaf in row]
            lines.append([f"{mark} {'.'.join(path)}", *shown, comparison.verdict(path)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(part.ljust(width) for part, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*text, comparison.summary(), *(f"note: {n}" for n in comparison.notes)])
