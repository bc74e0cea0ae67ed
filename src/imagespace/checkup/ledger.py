"""Every file of a folder, each in one column: a picture, read for captions, or not used."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagespace.pictures.file_walk import Unused, printable, walk_files
from imagespace.pictures.layouts.found import TEXT_SUFFIXES
from imagespace.pictures.layouts.metadata import METADATA_FILES
from imagespace.pictures.source import Source


@dataclass(frozen=True)
class Ledger:
    """Numbers of files. `num_pictures` counts archives and tables of pictures as one each."""

    num_files: int
    num_pictures: int
    num_captions: int
    num_unused: int
    unaccounted: list[Unused]
    """Files that no reader spoke of: there should be none, and they are listed if there are."""


def ledger(path: Path, sources: Iterable[Source], unused: Sequence[Unused]) -> Ledger:
    """Walks `path` anew and holds what the reader said of it against what is there.

    A link or folder that is not entered counts as one file.
    """
    files, passed_over = walk_files(path) if path.is_dir() else ([path.name], [])
    root = path if path.is_dir() else path.parent
    # Every kind of source knows the file that it lies in.
    used = {os.path.normpath(source.path) for source in sources}  # type: ignore[attr-defined]
    said = {os.path.normpath(each.path) for each in unused}
    num_pictures, num_captions, num_unused = 0, 0, len(passed_over)
    unaccounted = []
    for name in files:
        if os.path.normpath(os.path.join(root, name)) in used:
            num_pictures += 1
        elif os.path.normpath(printable(name)) in said:
            num_unused += 1
        elif name.lower().endswith(TEXT_SUFFIXES) or os.path.basename(name) in METADATA_FILES:
            num_captions += 1
        else:
            num_unused += 1
            unaccounted.append(Unused(printable(name), "the reader did not use it"))
    num_files = len(files) + len(passed_over)
    return Ledger(num_files, num_pictures, num_captions, num_unused, unaccounted)
