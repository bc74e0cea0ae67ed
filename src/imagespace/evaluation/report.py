"""The page of one report: a file that shows what an evaluation measured."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from imagespace.evaluation import metrics, page, report_file
from imagespace.evaluation.charts import curve_charts, line_chart, row_chart
from imagespace.evaluation.headlines import headlines
from imagespace.evaluation.knee import knees, sentence
from imagespace.evaluation.metrics import Measured, Metric, by_figure, finite, label_of, metric_of
from imagespace.evaluation.nouns import NOUNS
from imagespace.evaluation.report_file import model_name, section
from imagespace.page import bullets, document, grid, table

PAGE_FILE = "report.html"
# What needs no drawing at all is a line in its chart.
LINES = {"chance": "chance", "always_commonest": "always the commonest"}
Report = Mapping[str, Any]
Images = Mapping[str, Image.Image]
Rows = Mapping[str, Measured]


def write_report(folder: Path, report: Report, images: Images) -> Path:
    """Writes report.json and report.html into a folder, each whole or not at all; the page's path.

    The knees of its curves join the report, as `knees`. A number that is not finite is written as
    null, and a note says how many are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if found := {name: asdict(knee) for name, knee in knees(report).items()}:
        report = {**report, "knees": found}
    stored = report_file.write_report_file(folder, report)
    html = document(f"Evaluation of {model_name(stored)}", _parts(stored, images))
    report_file.write_text(folder / PAGE_FILE, html)
    return folder / PAGE_FILE


def _parts(report: Report, images: Images) -> Iterable[str]:
    yield f"<header><h1>{escape(f'Evaluation of {model_name(report)}')}</h1>"
    yield f'<p class="soft">{escape(_subtitle(report))}</p></header>'
    yield headlines(report)
    notes = report_file.notes_of(report)
    if notes:
        says = "One note</a> says" if len(notes) == 1 else f"{len(notes)} notes</a> say"
        yield f'<p class="soft"><a href="#notes">{says} what could not be computed.</p>'
    yield page.pictures(images, ["samples"])
    yield _part(
        "Quality",
        "How far each group of pictures is from unseen real ones. <em>Real</em> is the floor: "
        "training pictures, nearer than which no model of them can be expected to come. Between "
        "two halves of the unseen ones an unbiased distance is zero, within its error; it may be "
        "negative. ↓ and ↑ say which way is better. ± is one standard error; whiskers in charts "
        "span 95&#160;%.",
        _quality(report),
    )
    yield _part(
        "Prompt following",
        f"How often a drawing shows what its prompt asks for. {_who_read(report)}"
        "<em>Real</em> is the same judge on the prompts' own pictures, for radicals on those whose "
        "characters it never saw in its own training, and for nouns on all such glyphs of their "
        "radicals: its errors lower both. The dashed line is what needs no drawing at all. "
        "Retrieval asks whether the drawing's own prompt is among the nearest.",
        _row_charts(report, "prompt_following"),
    )
    yield _part(
        "Legibility",
        "What an independent character reader makes of the drawings, which no training used. "
        "<em>Real</em> are the glyphs whose captions prompted the drawings; <em>real, unknown</em> "
        "are those of them that it was never taught.",
        _row_charts(report, "legibility"),
    )
    yield _part(
        "Newness",
        "Whether the model draws its own pictures or repeats those it was trained on. <em>Real"
        "</em> is the same measurement on real pictures that were never trained on. A model that "
        "has learnt its pictures by heart has a lower loss, and fewer bits per dimension, on "
        "training pictures than on unseen ones.",
        _newness(section(report, "newness")) + page.pictures(images, ["nearest"]),
    )
    if curves := _curves(report) + page.pictures(images, ["replay"]):
        said = "The same figures with one setting changed, and all else as above."
        yield _part("Curves", said, curves)
    known = report_file.MEASURED_SECTIONS
    if rest := metrics.leaves({name: entry for name, entry in report.items() if name not in known}):
        rows = [[escape(".".join(path)), page.cell(leaf)] for path, leaf in rest.items()]
        yield "<h2>Also measured</h2>" + table(["", "value"], rows)
    if others := page.pictures(images, [n for n in images if n not in page.IMAGE_CAPTIONS]):
        yield "<h2>More pictures</h2>" + others
    if notes:
        yield '<h2 id="notes">Notes</h2>' + bullets(notes)
    yield _how_to_repeat(report)


def _part(title: str, explanation: str, measured: str) -> str:
    said = explanation if measured else "Not measured."
    return f'<h2>{title}</h2>\n<p class="soft">{said}</p>\n{measured}'


def _subtitle(report: Report) -> str:
    """`runs/one · 2026-11-25 · 2,000 samples · ddpm, 28 steps, guidance 3`, of what is known."""
    source, walk = section(report, "model").get("source"), section(report, "sampling")
    settings = _said(
        ("{}", walk.get("sampler")),
        ("{:.0f} steps", finite(walk.get("num_steps"))),
        ("guidance {:g}", finite(walk.get("guidance"))),
    )
    parts = _said(
        ("{}", None if source == model_name(report) else source),
        ("{}", report.get("date")),
        ("{:,.0f} samples", finite(report.get("num_samples"))),
        ("{:,.0f} unseen real pictures", finite(report.get("num_real"))),
        ("{}", ", ".join(settings) or None),
    )
    return " · ".join(parts)


def _said(*known: tuple[str, object]) -> list[str]:
    return [form.format(value) for form, value in known if value is not None]


def _quality(report: Report) -> str:
    parts = []
    for extractor in section(report, "quality"):
        figures = by_figure(report, "quality", extractor)
        charts = [
            row_chart(metric_of(name).label, figures.get(name, {}), metric_of(name))
            for name in ("kernel_distance", "frechet_distance")
        ]
        if numbers := page.leaf_table([(metric_of(name), row) for name, row in figures.items()]):
            parts.append(f"<h3>In {escape(extractor)} features</h3>")
            parts.append(grid([f"<div>{''.join(charts)}</div>", numbers]))
    return "".join(parts)


def _who_read(report: Report) -> str:
    """What is known of whether training read the prompts, as sentences with a space behind."""
    prompts, nouns = (section(report, "prompt_following", name) for name in ("prompts", "nouns"))
    num, num_unread = finite(prompts.get("num")), finite(prompts.get("num_unread"))
    num_read = finite(nouns.get("num_read"))
    sentences = []
    if num and num_unread == num:
        sentences.append(f"The {num:,.0f} prompts are captions that training never read.")
    if num and num_unread == 0:
        sentences.append(f"Training read all of the {num:,.0f} prompts.")
    if num_read is not None:
        sentences.append(
            f"Of the {len(NOUNS)} nouns, training read {num_read:.0f} as captions or senses of "
            "captions: they ask for what was learnt, not for something new."
            if num_read
            else f"The {len(NOUNS)} nouns are no captions or senses that training read."
        )
    return "".join(f"{said} " for said in sentences)


def _row_charts(report: Report, part: str) -> str:
    """A chart for each figure in a part of a report."""
    charts = []
    for name in section(report, part):
        for of, groups in by_figure(report, part, name).items():
            rows = {group: leaf for group, leaf in groups.items() if group not in LINES}
            marks = [(said, groups[name].value) for name, said in LINES.items() if name in groups]
            title = f"{label_of(name)}, {of}" if of else label_of(name)
            charts.append(row_chart(title, rows, metric_of(part, name), *marks[-1:]))
    return grid(charts)


def _newness(newness: Report) -> str:
    near = {name: newness[name] for name in ("copies", "nearest_ratio") if name in newness}
    others = {name: part for name, part in newness.items() if name not in (*near, "loss")}
    return _table(near) + _loss(newness) + _table(others)


def _table(part: Report) -> str:
    """A table of leaves: the last names of their paths are its columns."""
    rows: dict[tuple[str, ...], dict[str, Measured]] = {}
    for path, leaf in metrics.leaves(part).items():
        rows.setdefault(path[:-1] or path, {})[path[-1]] = leaf
    labelled = []
    for path, row in rows.items():
        metric = metric_of(*path)
        label = ", ".join((metric.label, *path[1:]))
        labelled.append((replace(metric, label=label), _with_gap(row)))
    return page.leaf_table(labelled)


def _loss(newness: Report) -> str:
    """Training and unseen loss at each noise level: its unit, a chart, and the numbers."""
    levels = by_figure(newness, "loss")
    series: dict[str, list[tuple[float, Measured]]] = {}
    for level, row in levels.items():
        if at := re.fullmatch(r"t=(\d*\.?\d+)", level):
            for name, leaf in row.items():
                series.setdefault(label_of(name), []).append((float(at[1]), leaf))
    chart = line_chart("loss at each noise level", series, metric_of("loss"), "noise level t")
    numbers = [(Metric(level or "loss"), _with_gap(row)) for level, row in levels.items()]
    drawn = grid([chart, page.leaf_table(numbers)])
    return f'<p class="soft">{_loss_unit(newness)}</p>{drawn}' if drawn else ""


def _loss_unit(newness: Report) -> str:
    space = newness.get("loss_space")
    if space == "pixels":
        return "Loss: the squared error of the clean picture, whose pixels are in [-1, 1]."
    if isinstance(space, str):
        return f"Loss: the squared error of the clean picture's whitened {escape(space)}."
    return "Loss: the squared error of the clean sample."


def _with_gap(row: Rows) -> Rows:
    """Training and unseen with their difference, whose error is that of independent numbers."""
    train, unseen = row.get("train"), row.get("unseen")
    if train is None or unseen is None:
        return row
    error = math.hypot(train.error or 0, unseen.error or 0)
    return {**row, "unseen − training": Measured(unseen.value - train.value, error)}


def _curves(report: Report) -> str:
    used = section(report, "sampling")
    used["steps"] = used.get("num_steps")
    if isinstance(interval := used.get("guidance_interval"), list | tuple):
        used["interval"] = "{:g} to {:g}".format(*interval)
    minutes = {at: f"{taken:.3g} min" for at, taken in metrics.minutes_of(report).items()}
    charts: dict[str, list[str]] = {}
    for name, _, metric, points in metrics.curves_of(report):
        below = minutes if name == "training" else {}
        label = f"{label_of(name)}, and its minutes" if below else label_of(name)
        curve = {metric.label: points}
        chart = curve_charts(metric.label, curve, metric, label, used.get(name), below)
        charts.setdefault(name, []).append(chart)
    found = knees(report)
    parts = []
    for name, own in charts.items():
        parts.append(f"<h3>{escape(f'By {label_of(name)}')}</h3>{grid(own)}")
        if name in found:
            parts.append(f'<p class="soft">{escape(sentence(name, found[name]))}</p>')
    return "".join(parts)


def _how_to_repeat(report: Report) -> str:
    listed = ""
    for name, entry in report.items():
        if name in ("model", "data", "sampling", "judges", "seconds"):
            known = section(report, name).items()
            entry = ", ".join(f"{label_of(key)} {value}" for key, value in known)
        if isinstance(entry, str | int | float) and name not in ("format", "command"):
            listed += f"<dt>{escape(label_of(name))}</dt><dd>{escape(str(entry))}</dd>"
    command = report.get("command")
    return (
        "<h2>How to repeat it</h2>"
        + (f"<pre>{escape(command)}</pre>" if isinstance(command, str) else "")
        + f'<dl>{listed}</dl><p class="soft">The numbers are in {report_file.REPORT_FILE} beside '
        "this page.</p>"
    )
