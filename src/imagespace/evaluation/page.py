"""What the pages of an evaluation are made of: the shared parts, and tables of measures."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from PIL import Image

from imagespace.evaluation.metrics import Measured, Metric, figure_parts, label_of
from imagespace.page import picture, printed, table

IMAGE_CAPTIONS = {
    "samples": "Samples",
    "nearest": "Samples, and the nearest training picture beside each",
    "replay": "The same prompts and seeds in the course of training",
}


def pictures(images: Mapping[str, Image.Image], names: Iterable[str]) -> str:
    return "".join(picture(images[n], IMAGE_CAPTIONS.get(n, n)) for n in names if n in images)


def leaf_table(rows: Sequence[tuple[Metric, Mapping[str, Measured]]]) -> str:
    """A row for each metric, a column for each name of its leaves; "" without a leaf."""
    columns = dict.fromkeys(name for _, row in rows for name in row)
    lines = [
        [metric_head(m), *(cell(row.get(c), m.is_share, c == "samples") for c in columns)]
        for m, row in rows
    ]
    return table(["", *(escape(label_of(column)) for column in columns)], lines) if columns else ""


def cell(leaf: Measured | None, is_share: bool = False, is_own: bool = False) -> str:
    """A number, and its error or interval in smaller type below it; marked if `is_own`."""
    if leaf is None:
        return '<td class="soft">n/a</td>'
    value, spread, unit = figure_parts(leaf, is_share)
    below = f"<small>{printed(spread)}</small>" if spread else ""
    kind = ' class="own"' if is_own else ""
    return f"<td{kind}>{printed(value + unit)}{below}</td>"


def metric_head(metric: Metric) -> str:
    arrow = "↑" if metric.better == "higher" else "↓"
    shown = f'&#160;<span title="{metric.better} is better">{arrow}</span>'
    return escape(metric.label) + (shown if metric.better else "")
