"""A table of rows beside the pictures: metadata.jsonl or metadata.csv."""

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imagespace.pictures.caption_text import UTF_8, caption_line, decode_lines
from imagespace.pictures.file_walk import (
    Unused,
    by_composed_name,
    composed,
    path_fault,
    printable,
)
from imagespace.pictures.layouts.found import Found, is_picture
from imagespace.pictures.source import FileSource
from imagespace.pictures.split import SPLITS, split_of

METADATA_FILES = ("metadata.jsonl", "metadata.csv")
# Headings under which people keep the two columns; the first one present counts.
_NAME_HEADINGS = ("file_name", "filename", "file", "image", "image_path", "path")
_TEXT_HEADINGS = ("text", "caption", "captions", "prompt", "description")


def read_metadata(root: Path, files: list[str], tables: list[str]) -> Found:
    """The pictures that the rows name, in their order; a table names files relative to itself."""
    found = Found("")
    place: dict[str, int] = {}
    known = set(files)
    spellings = by_composed_name(files)
    num_rows = 0
    for table in tables:
        try:
            raw = (root / table).read_bytes()
        except OSError as error:
            found.unused.append(Unused(printable(table), path_fault(error)))
            continue
        lines, encodings = decode_lines(raw)
        if encodings != [UTF_8]:
            found.notes.append(f"{printable(table)} is read as {', '.join(encodings)}")
        parsed = _json_rows(lines) if table.endswith(".jsonl") else _csv_rows(lines)
        for number, row, wrong in parsed:
            num_rows += 1
            where = f"{printable(table)}, line {number}"
            fault = wrong or _fault(row)
            if fault:
                found.unused.append(Unused(where, fault))
                continue
            name = os.path.join(os.path.dirname(table), row["file_name"])
            actual = _actual_name(root, name, known, spellings)
            if actual is None:
                fault = f"there is no such picture ({where})"
                found.unused.append(Unused(printable(name), fault))
                continue
            text = caption_line(row.get("text") or "")
            also = [caption_line(other) for other in row.get("also") or []]
            if os.path.normpath(actual) in place:
                # Several rows of one picture are several captions of it.
                first = found.rows[place[os.path.normpath(actual)]]
                _add_captions(first, [text, *also])
                continue
            place[os.path.normpath(actual)] = len(found.rows)
            split = row.get("split") or split_of(text or row["file_name"])
            name = printable(row["file_name"] if name == actual else actual)
            kept = {**row, "file_name": name, "text": text, "also": also, "split": split}
            found.add(FileSource(os.path.join(root, actual)), kept)
    for name in files:
        if name not in tables and os.path.normpath(name) not in place:
            reason = "no row of the metadata names it" if is_picture(name) else "it is no picture"
            found.unused.append(Unused(printable(name), reason, beside=not is_picture(name)))
    names = ", ".join(map(printable, tables[:3])) + (" ..." if len(tables) > 3 else "")
    found.recognised = f"metadata: {len(found.rows):,} pictures from {num_rows:,} rows of {names}"
    return found


def _add_captions(row: dict[str, Any], captions: list[str]) -> None:
    for caption in captions:
        if caption and not row["text"]:
            row["text"] = caption
        elif caption and caption != row["text"] and caption not in row["also"]:
            row["also"] = [*row["also"], caption]


def _actual_name(root: Path, name: str, known: set[str], spellings: dict[str, str]) -> str | None:
    """The file that a row means: as written, else with / for \\, else spelt alike (NFC, NFD)."""
    for spelling in (name, name.replace("\\", "/")):
        normal = os.path.normpath(spelling)
        if normal in known or _is_file(root / spelling):
            return spelling
        if composed(normal) in spellings:
            return spellings[composed(normal)]
    return None


def _is_file(path: Path) -> bool:
    """Whether there is such a file; names with a NUL or half a character are no one's."""
    try:
        return os.path.isfile(path)
    except ValueError:
        return False


def _json_rows(lines: list[str]) -> Iterator[tuple[int, Any, str]]:
    """Line number, row, and what is wrong with it or ""."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield number, json.loads(line), ""
            except (ValueError, RecursionError) as error:
                yield number, None, f"it is no JSON ({error})"


def _csv_rows(lines: list[str]) -> Iterator[tuple[int, Any, str]]:
    """As above; columns are parted by the commonest of comma, semicolon and tab in the first."""
    # A NUL would end the row in some readers; no caption keeps it in any case.
    text = "\n".join(line.removesuffix("\r") for line in lines).replace("\x00", " ")
    separator = max(",;\t", key=lines[0].count) if lines else ","
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    header: list[str] = []
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, None, f"it is no CSV ({error})"
            continue
        if not any(cells):
            continue
        if not header:
            header = _header([cell.strip() for cell in cells])
            if "file_name" not in header:
                columns = ", ".join(header)
                yield number, None, f'no column is named "file_name" (there are: {columns})'
                return
        elif len(cells) != len(header):
            yield number, None, f"it has {len(cells)} columns; the first line has {len(header)}"
        else:
            row: dict[str, Any] = dict(zip(header, cells, strict=True))
            if "also" in row:
                row["also"] = [row["also"]] if row["also"] else []
            yield number, row, ""


def _header(headings: list[str]) -> list[str]:
    """The headings, with those of the names and captions spelt as ours."""
    lower = [heading.lower() for heading in headings]
    for own, known in (("file_name", _NAME_HEADINGS), ("text", _TEXT_HEADINGS)):
        present = [heading for heading in known if heading in lower]
        if present:
            headings[lower.index(present[0])] = own
    return headings


def _fault(row: Any) -> str:
    """What is wrong with one row of metadata, or ""."""
    if not isinstance(row, dict):
        return 'a row is a JSON object such as {"file_name": "a.png", "text": "a cat"}'
    if not isinstance(row.get("file_name"), str) or not row["file_name"]:
        return '"file_name" must be the path of a picture'
    if not isinstance(row.get("text") or "", str):
        return '"text" must be a string'
    also = row.get("also") or []
    if not isinstance(also, list) or not all(isinstance(other, str) for other in also):
        return '"also" must be a list of strings'
    if (row.get("split") or SPLITS[0]) not in SPLITS:
        return f'"split" is {row["split"]!r} and must be one of {", ".join(SPLITS)}'
    return ""
