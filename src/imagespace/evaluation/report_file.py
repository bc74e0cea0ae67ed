"""The file of a report: report.json, written whole or not at all, and read with care."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from imagespace.errors import UserError

REPORT_FORMAT = "imagespace-evaluation-1"
REPORT_FILE = "report.json"
MEASURED_SECTIONS = ("quality", "prompt_following", "legibility", "newness", "curves")


def write_report_file(folder: Path, report: Mapping[str, Any]) -> dict[str, Any]:
    """Writes report.json into a folder; returns the report as it is read back from there.

    A number that is not finite is written as null, and a note says how many are.
    """
    lost: list[str] = []
    # The parser hands on each NaN and infinity, and what append returns, None, stands for it.
    plain: dict[str, Any] = json.loads(
        json.dumps(report, default=_plain), parse_constant=lost.append
    )
    if lost:
        plain["notes"] = [*notes_of(plain), f"{len(lost)} of its numbers are not finite"]
    text = json.dumps(plain, indent=1, ensure_ascii=False) + "\n"
    write_text(folder / REPORT_FILE, text)
    return plain


def read_report(path: Path) -> dict[str, Any]:
    """The report in a file, or in a folder's report.json.

    Its format is ours and its sections are dicts; any of them, and any entry, may be absent.

    UserError: there is none, or the file is damaged or not an evaluation's.
    """
    file = path / REPORT_FILE if path.is_dir() else path
    remedy = "Write a new one with `imagespace evaluate`"
    try:
        report = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise UserError(str(file), f"cannot be read ({error.strerror})", remedy) from None
    except (ValueError, RecursionError):
        raise UserError(str(file), "is damaged or no JSON", remedy) from None
    form = report.get("format") if isinstance(report, dict) else None
    if form != REPORT_FORMAT:
        raise UserError(str(file), f"is no report of the format {REPORT_FORMAT}", remedy)
    for name in ("model", "data", "sampling", "judges", "curve_judges", *MEASURED_SECTIONS):
        if not isinstance(report.get(name, {}), dict):
            raise UserError(str(file), f"is damaged: its {name} is no object", remedy)
    return dict(report)


def section(report: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The part of a report under these names; empty where it is absent or no dict."""
    part: Any = report
    for name in names:
        part = part.get(name) if isinstance(part, Mapping) else None
    return dict(part) if isinstance(part, Mapping) else {}


def notes_of(report: Mapping[str, Any]) -> list[str]:
    notes = report.get("notes")
    return [str(note) for note in notes] if isinstance(notes, list) else []


def model_name(report: Mapping[str, Any]) -> str:
    model = section(report, "model")
    return str(model.get("name") or model.get("source") or "a model")


def write_text(path: Path, text: str) -> None:
    """Writes a file; an interruption leaves the old one or the new one, never a part."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        # A file name that is no text has lone surrogates; as \udcXX they are valid JSON.
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _plain(entry: object) -> object:
    return entry.item() if isinstance(entry, np.generic) else str(entry)
