"""The page that shows several models side by side."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from PIL import Image

from imagespace.evaluation import page
from imagespace.evaluation.charts import curve_charts, row_chart
from imagespace.evaluation.comparability import Reports, curve_differs
from imagespace.evaluation.comparison import Comparison, Difference, compare, set_up
from imagespace.evaluation.metrics import Metric, Point, curves_of, label_of, metric_of
from imagespace.evaluation.report_file import write_text
from imagespace.page import bullets, document, grid, picture, table

PAGE_FILE = "comparison.html"
Images = Mapping[str, Image.Image]


def write_comparison(folder: Path, reports: Reports, images: Sequence[Images]) -> Path:
    """Writes comparison.html into a folder, whole or not at all; its path.

    `images` has the pictures of each report, in their order. UserError: as `compare`.
    """
    comparison = compare(reports)
    models = comparison.models
    title = f"Comparison of {', '.join(models[:-1])} and {models[-1]}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{escape(comparison.summary())}. Models are treated as independent: '
        "those that are judged against the same pictures mostly err together, so that differences "
        "are if anything understated. ± is one standard error; whiskers in charts span "
        "95&#160;%.</p>",
        bullets(comparison.notes),
        _charts(comparison),
        _figures(comparison),
        _pictures(models, images),
        _curves(reports, models),
    ]
    if comparison.references:
        parts += [
            "<h2>What they are judged against</h2>",
            '<p class="soft">Real pictures, noise and chance are no model\'s: they should not '
            "differ.</p>",
            _table(comparison, comparison.references),
        ]
    parts += ["<h2>How to repeat it</h2>", _set_up(reports, models)]
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / PAGE_FILE, document(title, parts))
    return folder / PAGE_FILE


def _figures(comparison: Comparison) -> str:
    shown = _table(comparison, comparison.differences)
    return f"<h2>Figures</h2>{shown}" if shown else ""


def _charts(comparison: Comparison) -> str:
    """Kernel distance and prompt following of each model, real pictures beside them."""
    charts = []
    for path, row in comparison.figures.items():
        is_distance = path[0] == "quality" and path[-1] == "kernel_distance"
        if path[2:3] != ("samples",) or not (is_distance or path[0] == "prompt_following"):
            continue
        real = comparison.figures.get((*path[:2], "real", *path[3:]), [])
        groups = zip((*comparison.models, *["real"] * len(real)), (*row, *real), strict=True)
        rows = {group: leaf for group, leaf in groups if leaf}
        words = ("kernel distance in", path[1]) if is_distance else (path[1], *path[3:])
        charts.append(row_chart(label_of(" ".join(words)), rows, metric_of(*path)))
    return grid(charts)


def _table(comparison: Comparison, differences: Sequence[Difference]) -> str:
    """One row for each path of the differences, in groups; what is better is marked."""
    names = {difference.path for difference in differences}
    rows: list[list[str]] = []
    for path, row in comparison.figures.items():
        if ".".join(path) not in names:
            continue
        head, words = label_of(path[0]).capitalize(), path[1:]
        if path[0] == "quality":
            head, words = f"{head} in {path[1]} features", path[2:]
        if [escape(head)] not in rows:
            rows.append([escape(head)])
        metric, wins = metric_of(*path), comparison.wins(path)
        best = {model for model, *_ in wins} - {other for _, other, _ in wins}
        label = " ".join(label_of(word) for word in words if word != "samples")
        cells = [
            page.cell(leaf, metric.is_share, metric.better is not None and model in best)
            for model, leaf in zip(comparison.models, row, strict=True)
        ]
        said = escape(comparison.verdict(path)).replace("(z ", "(z&#160;")
        verdict = f'<td class="verdict {"exceeds" if wins else "soft"}">{said}</td>'
        rows.append([page.metric_head(Metric(label, metric.better)), *cells, verdict])
    return table(["", *map(escape, comparison.models), ""], rows) if rows else ""


def _pictures(models: Sequence[str], images: Sequence[Images]) -> str:
    parts = []
    for name in dict.fromkeys(name for own in images for name in own):
        both = zip(models, images, strict=True)
        each = (picture(own[name], model) for model, own in both if name in own)
        caption = escape(page.IMAGE_CAPTIONS.get(name, name))
        parts.append(f"<h2>{caption}</h2>{grid(each)}")
    return "".join(parts)


def _curves(reports: Reports, models: Sequence[str]) -> str:
    found: dict[tuple[str, Metric], dict[str, list[Point]]] = {}
    for report, model in zip(reports, models, strict=True):
        for name, entry, metric, points in curves_of(report):
            if not curve_differs(reports, name, entry):
                found.setdefault((name, metric), {})[model] = points
    charts = [
        curve_charts(f"{metric.label} by {label_of(name)}", curves, metric, label_of(name))
        for (name, metric), curves in found.items()
    ]
    return f"<h2>Curves</h2>{grid(charts)}" if charts else ""


def _set_up(reports: Reports, models: Sequence[str]) -> str:
    """The commands that measured the models, and what was done for each."""
    commands = [c for report in reports if isinstance(c := report.get("command"), str)]
    lines = "\n".join(dict.fromkeys(commands))
    rows = [
        [escape(label_of(name)), *("" if one is None else escape(str(one)) for one in values)]
        for name, values in set_up(reports).items()
        if any(value is not None for value in values)
    ]
    head = f"<pre>{escape(lines)}</pre>" if lines else ""
    return head + table(["", *map(escape, models)], rows)
