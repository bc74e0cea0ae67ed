"""Read a folder of captioned pictures into one packed array, and refuse what cannot be read."""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagespace.errors import UserError
from imagespace.pictures.packing import fingerprint, packed_pixels
from imagespace.pictures.split import SPLITS, split_of

METADATA_FILE = "metadata.jsonl"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class PictureSet:
    """Captioned pictures; row i of every field is the same picture.

    `pixels` is uint8 [N, H, W, C], memory-mapped and read-only; `alternatives[i]` are further
    captions; `key` is a fingerprint of pixels, captions and splits; `notes` are one-line remarks
    for the user on what was left out.
    """

    pixels: NDArray[np.uint8]
    captions: list[str]
    alternatives: list[list[str]]
    splits: NDArray[np.str_]
    metadata: list[dict[str, Any]]
    key: str
    notes: list[str]

    def __len__(self) -> int:
        return len(self.captions)

    def indices(self, split: str) -> NDArray[np.int64]:
        """The rows of one split, in order."""
        return np.flatnonzero(self.splits == split).astype(np.int64)


def read_folder(
    path: Path,
    image_size_px: int,
    num_channels: int,
    progress: Callable[[int, int], None] | None = None,
) -> PictureSet:
    """Read `path` as square pictures of `image_size_px` with 1 (grey) or 3 (RGB) channels.

    Captions come from metadata.jsonl; without it from NAME.txt beside each picture; without any
    of those from the file names. UserError: nothing to read, a malformed row, a broken picture.
    """
    if num_channels not in (1, 3):
        raise UserError(f"{num_channels} channels", "pictures have 1 or 3", "Use 1 or 3.")
    if image_size_px < 1:
        raise UserError(f"image size {image_size_px} px", "it must be positive", "Use 64 or 128.")
    rows, notes = read_rows(path)
    names = [row["file_name"] for row in rows]
    shape = (image_size_px, image_size_px, num_channels)
    pixels, digest = packed_pixels(path, names, shape, progress)
    captions = [row["text"] for row in rows]
    alternatives = [row["also"] for row in rows]
    splits = [row["split"] for row in rows]
    key = fingerprint([digest, captions, alternatives, splits])
    return PictureSet(pixels, captions, alternatives, np.array(splits), rows, key, notes)


def read_rows(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Metadata of every picture (file_name, text, also, split, ...) and remarks; no pixels.

    UserError: no such folder, nothing in it, a malformed row.
    """
    if not path.is_dir():
        raise UserError(
            str(path),
            "there is no such folder",
            "Name a folder of pictures, or build one: imagespace pictures build glyphs --out DIR.",
        )
    found = sorted(_picture_names(path))
    if (path / METADATA_FILE).is_file():
        rows = _rows_of_metadata(path / METADATA_FILE)
        unlisted = len(set(found) - {os.path.normpath(row["file_name"]) for row in rows})
        notes = [f"{unlisted} pictures are not in {METADATA_FILE}: left out"] if unlisted else []
    else:
        rows, notes = _rows_of_names(path, found)
    if not rows:
        raise UserError(
            str(path), "it holds no picture", f"Put pictures there: {' '.join(SUFFIXES)}."
        )
    return rows, notes


def _picture_names(path: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.relpath(os.path.join(folder, name), path)


def _rows_of_metadata(file: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    line_of: dict[str, int] = {}
    for number, line in enumerate(_read_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            fault = _fault(row)
        except ValueError as error:
            fault = f"it is no JSON ({error})"
        if not fault and row["file_name"] in line_of:
            first = line_of[row["file_name"]]
            fault = f'its picture has a row in line {first}; further captions go into "also"'
        if fault:
            raise UserError(f"{file}, line {number}", fault, "Mend the line or remove it.")
        line_of[row["file_name"]] = number
        text = " ".join((row.get("text") or "").split())
        split = row.get("split") or split_of(text or row["file_name"])
        rows.append({**row, "text": text, "also": row.get("also") or [], "split": split})
    return rows


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


def _rows_of_names(path: Path, names: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows from the text files beside the pictures, or from the file names if there are none."""
    texts = {name: (path / name).with_suffix(".txt") for name in names}
    texts = {name: file for name, file in texts.items() if file.is_file()}
    rows = []
    for name in names:
        if texts:
            caption = " ".join(_read_text(texts[name]).split()) if name in texts else ""
        else:
            # "red-fox_012" says "red fox": a number at the end counts, it does not describe.
            words = re.sub(r"[\s_-]+", " ", Path(name).stem).strip()
            caption = re.sub(r" \(?\d+\)?$", "", words)
        split = split_of(caption or name)
        rows.append({"file_name": name, "text": caption, "also": [], "split": split})
    without = len(names) - len(texts)
    notes = [f"{without} pictures have no .txt: no caption"] if texts and without else []
    return rows, notes


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(str(file), "it is not UTF-8 text", "Save it as UTF-8.") from error
