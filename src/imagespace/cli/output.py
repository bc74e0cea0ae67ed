"""Where a command may write: checked before the work, so that nothing is lost after it."""

import os
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


def free_name(folder: Path, stem: str, suffix: str) -> Path:
    """The first of stem.suffix, stem-2.suffix, ... that does not exist in `folder`."""
    clean = "".join(c if c.isalnum() else "-" for c in stem.lower()).strip("-")[:40] or "pictures"
    number, path = 1, folder / (clean + suffix)
    while path.exists():
        number += 1
        path = folder / f"{clean}-{number}{suffix}"
    return path
