"""Pictures in a column of a table: Parquet, or Arrow as the `datasets` library writes it."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagespace.errors import UserError
from imagespace.pictures.caption_text import caption_line
from imagespace.pictures.file_walk import Unused, path_fault, printable
from imagespace.pictures.layouts.arrow_file import record_batches
from imagespace.pictures.layouts.found import Found, fill_splits, picture_row, split_of_shard
from imagespace.pictures.source import FileSource, Source, TableSource

TABLE_SUFFIXES = (".parquet", ".arrow")
_PICTURE_HEADINGS = ("image", "img", "picture", "jpg", "jpeg", "png", "webp", "bytes", "pixels")
_TEXT_HEADINGS = ("text", "caption", "captions", "prompt", "description", "label", "labels")


@dataclass(frozen=True)
class _Columns:
    """Which column holds the pictures, which the captions, and what the numbers in it mean."""

    picture: str
    text: str | None
    class_names: list[str] | None
    others: list[str]


def read_columns(root: Path, tables: list[str]) -> Found:
    """The rows of all tables, with captions from a column of text or of named classes.

    UserError: pyarrow is not installed, or no table has a column of pictures.
    """
    try:
        import pyarrow.parquet
    except ImportError:
        raise UserError(
            f"{root}, {printable(tables[0])}",
            "tables of pictures need an extra",
            'Install it: pip install "imagespace[parquet]".',
        ) from None
    found = Found("")
    headings: list[str] = []
    is_classes = False
    for table in tables:
        path = os.path.join(root, table)
        try:
            if table.lower().endswith(".parquet"):
                schema = pyarrow.parquet.read_schema(path)
            else:
                batches = record_batches(path)
                schema = batches[0].schema if batches else pyarrow.schema([])
            columns = _columns(schema)
            if columns is None:
                names = ", ".join(schema.names[:8]) or "none"
                reason = f"it has no column of pictures (its columns: {names})"
                found.unused.append(Unused(printable(table), reason))
                continue
            is_classes = is_classes or columns.class_names is not None
            headings.append(columns.text or "")
            for part, picked in _parts(path, columns):
                _read_part(root, table, columns, part, picked, found)
        except (pyarrow.ArrowException, ValueError) as error:
            reason = f"it is damaged or no such table ({' '.join(str(error).split())})"
            found.unused.append(Unused(printable(table), reason))
        except OSError as error:
            found.unused.append(Unused(printable(table), path_fault(error)))
    column = next((heading for heading in headings if heading), "")
    found.recognised = f"tables: {len(found.rows):,} pictures in {len(tables):,} files, " + (
        f"captions from column {column!r}" if column else "no column of captions"
    )
    if len({row["split"] for row in found.rows} - {None}) < 2:
        for row in found.rows:
            row["split"] = None
    fill_splits(found.rows, by_name=is_classes or not column)
    return found


def _columns(schema: Any) -> _Columns | None:
    """The columns by type and heading; None if none holds pictures."""
    import pyarrow.types as types

    def holds_bytes(kind: Any) -> bool:
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    pictures = []
    for item in schema:
        is_struct = types.is_struct(item.type) and item.type.get_field_index("bytes") >= 0
        if is_struct or (holds_bytes(item.type) and item.name.lower() in _PICTURE_HEADINGS):
            pictures.append(item.name)
    if not pictures:
        return None
    picture = min(pictures, key=lambda name: _rank(name, _PICTURE_HEADINGS))
    classes = _class_names(schema)

    def holds_text(item: Any) -> bool:
        kind = item.type
        if types.is_list(kind) or types.is_large_list(kind):
            kind = kind.value_type
        return bool(types.is_string(kind) or types.is_large_string(kind)) or item.name in classes

    # An id or an address is text too: only columns so named, or of classes, hold captions.
    texts = [
        item.name
        for item in schema
        if holds_text(item) and (item.name.lower() in _TEXT_HEADINGS or item.name in classes)
    ]
    text = min(texts, key=lambda name: _rank(name, _TEXT_HEADINGS), default=None)
    others = [
        item.name
        for item in schema
        if item.name not in (picture, text, "file_name", "also", "split")
        and (types.is_string(item.type) or types.is_integer(item.type))
    ]
    return _Columns(picture, text, classes.get(text or ""), others)


def _rank(name: str, headings: tuple[str, ...]) -> int:
    lower = name.lower()
    return headings.index(lower) if lower in headings else len(headings)


def _class_names(schema: Any) -> dict[str, list[str]]:
    """The names behind the numbers of each column of classes, as `datasets` writes them."""
    raw = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        features = json.loads(raw)["info"]["features"]
        return {
            name: [str(each) for each in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _parts(path: str, columns: _Columns) -> Iterator[tuple[int, Any]]:
    """(number, table without the bytes of its pictures) of each row group or record batch."""
    import pyarrow
    import pyarrow.parquet

    wanted = [name for name in (columns.text, *columns.others) if name is not None]
    if not path.lower().endswith(".parquet"):
        for number, batch in enumerate(record_batches(path)):
            paths = _paths(batch.column(columns.picture))
            yield (
                number,
                pyarrow.Table.from_batches([batch]).select(wanted).append_column("\x00path", paths),
            )
        return
    with pyarrow.parquet.ParquetFile(path) as file:
        kind = file.schema_arrow.field(columns.picture).type
        has_paths = pyarrow.types.is_struct(kind) and kind.get_field_index("path") >= 0
        leaf = [f"{columns.picture}.path"] if has_paths else []
        for number in range(file.num_row_groups):
            num_rows = file.metadata.row_group(number).num_rows
            table = file.read_row_group(number, columns=[*wanted, *leaf])
            if has_paths:
                paths = _paths(table.column(columns.picture).combine_chunks())
                table = table.select(wanted)
            else:
                paths = pyarrow.nulls(num_rows, pyarrow.string())
            yield number, table.append_column("\x00path", paths)


def _paths(pictures: Any) -> Any:
    """The file names that a column of pictures carries besides their bytes, or nulls."""
    import pyarrow

    kind = pictures.type
    if pyarrow.types.is_struct(kind) and kind.get_field_index("path") >= 0:
        return pictures.field("path")
    return pyarrow.nulls(len(pictures), pyarrow.string())


def _read_part(
    root: Path, table: str, columns: _Columns, part: int, picked: Any, found: Found
) -> None:
    path = os.path.join(root, table)
    split = split_of_shard(table)
    values = picked.to_pydict()
    texts = values[columns.text] if columns.text else [None] * picked.num_rows
    start = sum(row["file_name"].startswith(f"{printable(table)}#") for row in found.rows[-1:])
    first = int(found.rows[-1]["file_name"].rpartition("#")[2]) + 1 if start else 0
    for row_number, (text, file_name) in enumerate(zip(texts, values["\x00path"], strict=True)):
        name = f"{printable(table)}#{first + row_number}"
        row = picture_row(name, _captions(text, columns.class_names), split)
        row |= {other: values[other][row_number] for other in columns.others}
        source: Source = TableSource(path, columns.picture, part, row_number)
        if isinstance(file_name, str) and (root / file_name).is_file():
            source = FileSource(os.path.join(root, file_name))
        found.add(source, row)


def _captions(value: Any, class_names: list[str] | None) -> list[str]:
    """The captions of one cell: a text, several, or the number of a class."""
    if isinstance(value, list):
        return [caption for each in value for caption in _captions(each, class_names)]
    if isinstance(value, int) and class_names is not None:
        name = class_names[value] if 0 <= value < len(class_names) else ""
        return [caption_line(name.replace("_", " "))]
    return [caption_line(value)] if isinstance(value, str) else []
