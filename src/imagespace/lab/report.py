"""Writes what an experiment found: NAME.png, NAME.json and, for all of them, a page."""

import json
import platform
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import torch

from imagespace import __version__
from imagespace.errors import UserError
from imagespace.lab.experiments import EXPERIMENTS, Experiment
from imagespace.lab.finding import Finding
from imagespace.lab.laboratory import Laboratory

PAGE_FILE = "findings.md"


def write_finding(
    folder: Path, experiment: Experiment, finding: Finding, laboratory: Laboratory, seconds: float
) -> dict[str, Any]:
    """Writes the figure and the record of one experiment; the record."""
    finding.figure.savefig(folder / f"{experiment.name}.png")
    record = {
        "experiment": experiment.name,
        "claim": experiment.claim,
        "verdict": finding.verdict,
        "quantity": finding.quantity,
        "value": finding.value,
        "uncertainty": finding.uncertainty,
        "unit": finding.unit,
        "summary": finding.summary,
        "numbers": finding.numbers,
        "model": laboratory.model_name,
        "quick": laboratory.quick,
        "seed": laboratory.seed,
        "seconds": round(seconds, 1),
        "imagespace": __version__,
        "torch": torch.__version__,
        "num_threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "date": date.today().isoformat(),
    }
    text = json.dumps(record, indent=1) + "\n"
    (folder / f"{experiment.name}.json").write_text(text, encoding="utf-8")
    return record


def stored_records(
    folder: Path, laboratory: Laboratory, skip_others: bool = False
) -> list[dict[str, Any]]:
    """The records in a folder, in the order of the experiments.

    Errors: UserError for a file that is not the lab's or comes from another model, seed or size,
    unless `skip_others`: nothing of a person's is replaced unasked, and one page has one set-up.
    """
    own = (laboratory.model_name, laboratory.quick, laboratory.seed)
    records = []
    for experiment in EXPERIMENTS:
        path = folder / f"{experiment.name}.json"
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            found = (record["model"], record["quick"], record["seed"])
            headline(record)
        except FileNotFoundError:
            if path.with_suffix(".png").exists() and not skip_others:
                raise _not_ours(path.with_suffix(".png")) from None
            continue
        except (ValueError, KeyError, TypeError):
            found = None
        if found == own:
            records.append(record)
        elif not skip_others:
            raise _not_ours(path)
    page = folder / PAGE_FILE
    if page.exists() and not records and not skip_others:
        raise _not_ours(page)
    return records


def _not_ours(path: Path) -> UserError:
    return UserError(
        str(path),
        "is there already, and not from this model, seed and size",
        "Choose another --out, or add --overwrite",
    )


def headline(record: dict[str, Any]) -> str:
    """The number with its uncertainty and unit: `27.3 ± 2.6 %`."""
    spread = "" if record["uncertainty"] is None else f" ± {record['uncertainty']:.2g}"
    value = record["value"]
    shown = f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:.4g}"
    return f"{shown}{spread} {record['unit']}".rstrip()


def findings_page(records: Iterable[dict[str, Any]], image_folder: str) -> str:
    """All findings as one page of Markdown; figures are named relative to the page."""
    records = list(records)
    first = records[0]
    size = "smaller samples" if first["quick"] else "full samples"
    lines = [f"Model `{first['model']}`, seed {first['seed']}, {size}.", ""]
    lines += ["| claim | verdict | measured |", "|---|---|---|"]
    for record in records:
        anchor = record["experiment"]
        lines.append(
            f"| [{record['claim']}](#{anchor}) | {record['verdict']} | "
            f"{record['quantity']}: {headline(record)} |"
        )
    for record in records:
        lines += [
            "",
            f"## {record['experiment']}",
            "",
            f"*{record['claim']}* **{record['verdict'].capitalize()}.** "
            f"{record['quantity']}: {headline(record)}.",
            "",
            record["summary"],
            "",
            f"![{record['claim']}]({image_folder}/{record['experiment']}.png)",
        ]
    return "\n".join(lines) + "\n"
