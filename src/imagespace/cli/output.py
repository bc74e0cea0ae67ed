"""Where a command may write: checked before the work, so that nothing is lost after it."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imagespace.errors import UserError


def check_out_file(path: Path, overwrite: bool) -> None:
    """Errors: UserError if `path` cannot be written, or exists and may not be overwritten."""
    folder = path.parent
    if not folder.is_dir():
        raise UserError(str(folder), "there is no such folder", f"Create it: mkdir -p {folder}")
    if path.is_dir():
        raise UserError(str(path), "is a folder", "Name a file in it")
    if path.exists() and not overwrite:
        raise UserError(str(path), "exists", "Choose another name, or add --overwrite")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise UserError(str(path), "cannot be written", "Choose a place that you may write to")


def check_out_folder(folder: Path) -> None:
    """Errors: UserError if `folder` is no folder, or could be neither written nor made."""
    if folder.exists() and not folder.is_dir():
        raise UserError(str(folder), "is not a folder", "Choose another --out")
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UserError(str(folder), "cannot be written", "Choose another --out")


def check_png_name(path: Path) -> None:
    """Errors: UserError unless `path` is named as a PNG."""
    if path.suffix.lower() != ".png":
        raise UserError(f"--out {path}", "pictures are written as PNG", "Name a .png file")


def free_name(folder: Path, stem: str, suffix: str, *more: str) -> Path:
    """The first of stem.suffix, stem-2.suffix, ... that does not exist in `folder`.

    Nor does any file whose name ends in one of `more` instead.
    """
    clean = "".join(c if c.isalnum() else "-" for c in stem.lower()).strip("-")[:40] or "pictures"
    number, name = 1, clean
    while any((folder / (name + ending)).exists() for ending in (suffix, *more)):
        number += 1
        name = f"{clean}-{number}"
    return folder / (name + suffix)


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Prints the warnings of its block as one plain line each, on stderr, and none twice."""
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        yield
    for message in dict.fromkeys(str(remark.message) for remark in remarks):
        print(f"imagespace: warning: {message}", file=sys.stderr)
