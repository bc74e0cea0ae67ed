"""Text files beside the pictures: NAME.txt or NAME.caption, for NAME.png or NAME.png.txt."""

import os
from collections import Counter
from pathlib import Path

from imagespace.pictures.caption_text import MAX_TEXT_BYTES, UTF_8, caption_line, decode_text
from imagespace.pictures.file_walk import (
    Unused,
    by_composed_name,
    composed,
    path_fault,
    printable,
)
from imagespace.pictures.layouts.found import (
    TEXT_SUFFIXES,
    Found,
    counted,
    fill_splits,
    picture_row,
    splits_of_folders,
)
from imagespace.pictures.source import FileSource


def sidecars(pictures: list[str], files: list[str]) -> dict[str, list[str]]:
    """The text files of each picture that has any; pictures of one name share theirs.

    A text file belongs to the pictures of its very name, else to those whose names look alike.
    """
    texts = [name for name in files if name.lower().endswith(TEXT_SUFFIXES)]
    by_stem: dict[str, list[str]] = {}
    for text in texts:
        by_stem.setdefault(os.path.splitext(text)[0], []).append(text)
    spellings = by_composed_name(by_stem)
    found = {}
    for name in pictures:
        beside: list[str] = []
        for stem in (os.path.splitext(name)[0], name):
            alike = spellings.get(composed(stem), "")
            beside += by_stem.get(stem) or by_stem.get(alike, [])
        if beside:
            found[name] = sorted(beside, key=lambda text: not text.lower().endswith(".txt"))
    return found


def read_sidecars(
    root: Path, pictures: list[str], files: list[str], texts: dict[str, list[str]]
) -> Found:
    """All pictures; those without a text file have no caption."""
    found = Found(
        f"sidecar text files: {len(texts):,} of {len(pictures):,} pictures have NAME.txt"
        " or NAME.caption"
    )
    splits = splits_of_folders(pictures)
    encodings: Counter[str] = Counter()
    read: dict[str, str | None] = {}
    for name in pictures:
        captions = []
        for text in texts.get(name, []):
            if text not in read:
                read[text] = _read_caption(root, text, found, encodings)
            captions.append(read[text] or "")
        row = picture_row(printable(name), captions, splits.get(name))
        found.add(FileSource(os.path.join(root, name)), row)
    fill_splits(found.rows, by_name=False)
    for name in files:
        if name.lower().endswith(TEXT_SUFFIXES) and name not in read:
            reason = "no picture has its name"
            found.unused.append(Unused(printable(name), reason))
    without = len(pictures) - len(texts)
    if without:
        has = counted(without, "picture has", "pictures have")
        found.notes.append(f"{has} no text file: no caption")
    for encoding, count in sorted(encodings.items()):
        if encoding != UTF_8:
            are = counted(count, "text file is", "text files are")
            found.notes.append(f"{are} no plain UTF-8: read as {encoding}")
    return found


def _read_caption(root: Path, name: str, found: Found, encodings: Counter[str]) -> str | None:
    """The caption, or None where the file is listed as unused."""
    path = os.path.join(root, name)
    try:
        if os.path.getsize(path) > MAX_TEXT_BYTES:
            reason = f"it is longer than {MAX_TEXT_BYTES:,} bytes: no caption"
            found.unused.append(Unused(printable(name), reason))
            return None
        text, encoding = decode_text(Path(path).read_bytes())
    except OSError as error:
        found.unused.append(Unused(printable(name), path_fault(error)))
        return None
    encodings[encoding] += 1
    return caption_line(text)
