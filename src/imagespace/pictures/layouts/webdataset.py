"""Pictures in .tar archives, as WebDataset keeps them: files of one name are one sample."""

import json
import os
import tarfile
from pathlib import Path
from typing import Any

from imagespace.pictures.caption_text import MAX_TEXT_BYTES, caption_line, decode_text
from imagespace.pictures.file_walk import Unused, path_fault, printable
from imagespace.pictures.layouts.found import (
    TEXT_SUFFIXES,
    Found,
    fill_splits,
    is_picture,
    picture_row,
    split_of_shard,
)
from imagespace.pictures.source import ArchiveSource

TAR_SUFFIX = ".tar"
_JSON_CAPTIONS = ("text", "caption", "prompt", "description")


def read_webdataset(root: Path, archives: list[str]) -> Found:
    """All pictures of the archives; captions from NAME.txt, .caption or .json beside each.

    Source: the WebDataset format; a sample's name ends at the first dot of its file's name.
    """
    found = Found("")
    for archive in archives:
        _read_archive(root, archive, found)
    num_captioned = sum(bool(row["text"]) for row in found.rows)
    found.recognised = (
        f"WebDataset: {len(found.rows):,} pictures in {len(archives):,} .tar archives, "
        f"{num_captioned:,} with a caption"
    )
    splits = {row["split"] for row in found.rows}
    if len(splits - {None}) < 2:  # one split's name alone parts nothing
        for row in found.rows:
            row["split"] = None
    fill_splits(found.rows, by_name=num_captioned == 0)
    return found


def _read_archive(root: Path, archive: str, found: Found) -> None:
    path = os.path.join(root, archive)
    pictures: dict[str, list[tarfile.TarInfo]] = {}
    captions: dict[str, list[str]] = {}
    texts: dict[str, list[str]] = {}
    shown = printable(archive)
    try:
        with tarfile.open(path, "r:") as opened:
            for member in opened:
                key, suffix = _sample(member.name)
                name = f"{shown}/{printable(member.name)}"
                if member.isdir():
                    continue
                if not member.isfile() or member.issparse():
                    found.unused.append(Unused(name, "it is no ordinary file"))
                elif is_picture(member.name):
                    pictures.setdefault(key, []).append(member)
                elif suffix in (*TEXT_SUFFIXES, ".json") and member.size <= MAX_TEXT_BYTES:
                    extracted = opened.extractfile(member)
                    raw = extracted.read() if extracted is not None else b""
                    texts.setdefault(key, []).append(name)
                    captions.setdefault(key, []).extend(_captions(raw, suffix, name, found))
                else:
                    found.unused.append(Unused(name, "it is no picture", beside=True))
    except OSError as error:
        found.unused.append(Unused(shown, path_fault(error)))
    except tarfile.TarError as error:
        num = sum(map(len, pictures.values()))
        reason = f"it is damaged or no plain .tar after {num:,} pictures ({error})"
        found.unused.append(Unused(shown, reason))
    split = split_of_shard(archive)
    for key, members in pictures.items():
        for member in members:
            row = picture_row(f"{shown}/{printable(member.name)}", captions.get(key, []), split)
            found.add(ArchiveSource(path, member.offset_data, member.size), row)
    for key in texts.keys() - pictures.keys():
        found.unused += [Unused(name, "no picture has its name") for name in texts[key]]


def _sample(name: str) -> tuple[str, str]:
    """ "dir/0001.seg.png" is part ".seg.png" of sample "dir/0001"."""
    folder, base = os.path.split(name)
    key, dot, suffix = base.partition(".")
    return os.path.join(folder, key), (dot + suffix).lower()


def _captions(raw: bytes, suffix: str, name: str, found: Found) -> list[str]:
    text, _ = decode_text(raw)
    if suffix != ".json":
        return [caption_line(text)]
    try:
        described: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        found.unused.append(Unused(name, f"it is no JSON ({error})"))
        return []
    if not isinstance(described, dict):
        return []
    values = [described[key] for key in _JSON_CAPTIONS if isinstance(described.get(key), str)]
    return [caption_line(value) for value in values[:1]]
