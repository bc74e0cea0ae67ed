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
from imagespace.pictures.source import TableSource

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
            split, in_table = split_of_shard(table), 0
            for part, num_rows, values in _parts(path, columns):
                texts = values[columns.text] if columns.text else [None] * num_rows
                for row_number, text in enumerate(texts):
                    name = f"{printable(table)}#{in_table}"
                    row = picture_row(name, _captions(text, columns.class_names), split)
                    row |= {other: values[other][row_number] for other in columns.others}
                    found.add(TableSource(path, columns.picture, part, row_number), row)
                    in_table += 1
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


def _parts(path: str, columns: _Columns) -> Iterator[tuple[int, int, dict[str, list[Any]]]]:
    """(number, rows, values by column but for the pictures) of each row group or record batch."""
    import pyarrow.parquet

    wanted = [name for name in (columns.text, *columns.others) if name is not None]
    if not path.lower().endswith(".parquet"):
        for number, batch in enumerate(record_batches(path)):
            yield number, batch.num_rows, batch.select(wanted).to_pydict()
        return
    with pyarrow.parquet.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            values = file.read_row_group(number, columns=wanted).to_pydict()
            yield number, file.metadata.row_group(number).num_rows, values


def _captions(value: Any, class_names: list[str] | None) -> list[str]:
    """The captions of one cell: a text, several, or the number of a class."""
    if isinstance(value, list):
        return [caption for each in value for caption in _captions(each, class_names)]
    if isinstance(value, int) and class_names is not None:
        name = class_names[value] if 0 <= value < len(class_names) else ""
        return [caption_line(name.replace("_", " "))]
    return [caption_line(value)] if isinstance(value, str) else []
