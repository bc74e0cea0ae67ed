"""Charts as inline SVG: rows of groups, and lines along a setting."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from imagespace.evaluation.chart_axes import Axis, axis_for, axis_through, tick_text
from imagespace.evaluation.metrics import LABELS, Measured, Metric, Point, figure, finite
from imagespace.page import printed

Rows = Mapping[str, Measured]
Line = Sequence[tuple[float, Measured]]  # (measured at, leaf) of each point
WIDTH = 340  # of every chart, in its own units: about a phone's, so that text is legible there
CHARACTER = 6.2  # width of one, about, at the charts' size of type
# Style (colour and mark) of the groups that a model is compared with; all else has the first.
STYLES = {"real": 1, "real_unknown": 1, "unseen_halves": 1, "blurred": 2, "noise": 3}
MARKS = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "M0 -5.2L5.2 0L0 5.2L-5.2 0z",
    "M0 -4.8L5 4L-5 4z",
    "M-3.7 -3.7H3.7V3.7H-3.7z",
    "M0 4.8L5 -4L-5 -4z",
    "M-1.6 -4.6H1.6V-1.6H4.6V1.6H1.6V4.6H-1.6V1.6H-4.6V-1.6H-1.6z",
)


def row_chart(title: str, rows: Rows, metric: Metric, mark: tuple[str, float] | None = None) -> str:
    """One row for each leaf: bars for shares, otherwise points on a scale; "" without a row.

    `mark` is a name and a number, drawn as a dashed line through all rows.
    """
    if not rows:
        return ""
    labels = [_cut(LABELS.get(name, name), 22) for name in rows]
    leaves = list(rows.values())
    shown = [figure(Measured(leaf.value, leaf.error), metric.is_share) for leaf in leaves]
    left = 10 + CHARACTER * max(map(len, labels))
    right = WIDTH - 16 - CHARACTER * max(map(len, shown))
    axis = axis_for(leaves, metric, left, right, gap=30)
    is_bars = metric.is_share and not axis.is_log and axis.low == 0
    top = 18 if mark else 4
    bottom = top + 22 * len(rows)
    parts = [_line("grid-line", axis.at(tick), top, axis.at(tick), bottom) for tick in axis.ticks]
    parts += _horizontal_ticks(axis, bottom, metric.is_share)
    for number, (name, leaf) in enumerate(rows.items()):
        style, x, y = STYLES.get(name, 0), axis.at(leaf.value), top + 22 * number + 11
        low, high = map(axis.at, leaf.range_95)
        if is_bars:
            place = f'x="{left:.2f}" y="{y - 6:.2f}" width="{x - left:.2f}" height="12"'
            parts.append(f'<rect class="bar s{style}" {place}/>')
        if high - low > 1:
            parts.append(_line(f"whisker s{style}", low, y, high, y))
        if not is_bars:
            parts.append(_point(style, x, y, name))
        parts.append(_text(0, y + 4, labels[number], kind="name"))
        parts.append(_text(WIDTH, y + 4, printed(shown[number]), "end", "name"))
    if mark:
        x, label = axis.at(mark[1]), f"{mark[0]} {tick_text(mark[1], metric.is_share)}"
        parts.append(_line("mark", x, top - 4, x, bottom))
        parts.append(_text(x, top - 7, label, "end" if x > (left + right) / 2 else "start"))
    return _chart(title, bottom + 18, parts)


def line_chart(
    title: str,
    series: Mapping[str, Line],
    metric: Metric,
    x_label: str,
    used: float | None = None,
    below: Mapping[float, str] | None = None,
) -> str:
    """Leaves against the numbers that they were measured at; "" without a point.

    `used` is the place on the x axis that the model uses; `below` has further words for places on
    it, which stand under their ticks.
    """
    series = {name: points for name, points in series.items() if points}
    if not series:
        return ""
    left, right = 50.0, WIDTH - 12.0
    top = 20.0 + (15 * len(series) if len(series) > 1 else 0)
    bottom = top + 158
    every = [point for points in series.values() for point in points]
    y_axis = axis_for([leaf for _, leaf in every], metric, bottom, top, gap=18)
    x_axis = axis_through([at for at, _ in every], left + 10, right - 6)
    parts = _horizontal_ticks(x_axis, bottom)
    parts += [_line("grid-line", left, y, right, y) for y in map(y_axis.at, y_axis.ticks)]
    labels = y_axis.labels(metric.is_share)
    parts += [_text(left - 6, y + 4, label, "end") for y, label in labels]
    if used is not None and x_axis.low <= used <= x_axis.high:
        x = x_axis.at(used)
        parts.append(_line("mark", x, top - 6, x, bottom))
        parts.append(_text(min(x, right - 24), top - 9, "used here", "middle"))
    for number, (name, points) in enumerate(series.items()):
        style, y = number % len(MARKS), 7 + 15 * number
        if len(series) > 1:
            parts.append(_point(style, left + 8, y, name))
            parts.append(_text(left + 18, y + 4, _cut(name, 40), kind="name"))
        parts += _line_of_points(points, x_axis, y_axis, style, metric)
    if below:
        parts += _labels(
            ((x_axis.at(at), words) for at, words in sorted(below.items())), bottom + 28
        )
        bottom += 15
    parts.append(_text((left + right) / 2, bottom + 34, x_label, "middle"))
    return _chart(title, bottom + 36, parts)


def curve_charts(
    title: str,
    curves: Mapping[str, list[Point]],
    metric: Metric,
    x_label: str,
    used: object = None,
    below: Mapping[float, str] | None = None,
) -> str:
    """The curve of each model: lines in one chart over numbers, or a chart of rows each over names.

    `used` is the number or the name that the model uses; `below` as in `line_chart`.
    """
    lines: dict[str, Line] = {}
    charts = []
    for model, points in curves.items():
        numbers = [(at, leaf) for at, leaf in points if not isinstance(at, str)]
        if len(numbers) == len(points):
            lines[model] = numbers
        else:
            rows = {f"{at} (used)" if at == used else str(at): leaf for at, leaf in points}
            whose = f"{title}, {model}" if len(curves) > 1 else title
            charts.append(row_chart(whose, rows, metric))
    return "".join([*charts, line_chart(title, lines, metric, x_label, finite(used), below)])


def _line_of_points(
    points: Line, x_axis: Axis, y_axis: Axis, style: int, metric: Metric
) -> list[str]:
    parts, corners = [], []
    for at, leaf in sorted(points, key=lambda point: point[0]):
        x, y = x_axis.at(at), y_axis.at(leaf.value)
        low, high = map(y_axis.at, leaf.range_95)
        if low - high > 1:
            parts.append(_line(f"whisker s{style}", x, low, x, high))
        parts.append(_point(style, x, y, f"{at:,g}: {figure(leaf, metric.is_share)}"))
        corners.append(f"{x:.2f},{y:.2f}")
    return [f'<polyline class="line s{style}" points="{" ".join(corners)}"/>', *parts]


def _horizontal_ticks(axis: Axis, y: float, is_share: bool = False) -> list[str]:
    """The axis at height y, and the labels of those of its ticks that have room."""
    parts = [_line("axis", axis.start, y, axis.end, y)]
    if axis.below is not None:
        parts.append(_line("below", axis.below, y, axis.start, y))
    return [*parts, *_labels(axis.labels(is_share), y + 14)]


def _labels(labels: Iterable[tuple[float, str]], y: float) -> list[str]:
    """Those labels (position, text), from left to right, that have room beside each other."""
    parts, taken = [], -math.inf
    for x, label in labels:
        half = CHARACTER * len(label) / 2
        if x - half > taken + 4:
            parts.append(_text(x, y, label, "middle"))
            taken = x + half
    return parts


def _cut(label: str, num: int) -> str:
    """The end of a label that is longer than `num` characters: of paths that tells them apart."""
    return label if len(label) <= num else f"…{label[1 - num :]}"


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "tick") -> str:
    shown = f'x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}">{escape(text)}'
    return f'<text class="{kind}" {shown}</text>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}"/>'


def _point(style: int, x: float, y: float, title: str) -> str:
    """A mark at (x, y): its shape, as its colour, belongs to the style."""
    place = f'transform="translate({x:.2f} {y:.2f})" d="{MARKS[style]}"'
    return f'<path class="point s{style}" {place}><title>{escape(title)}</title></path>'


def _chart(title: str, height: float, parts: Iterable[str]) -> str:
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg></figure>"
    )
