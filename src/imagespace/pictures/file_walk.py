"""Every file below a folder, each once, and what cannot be looked into."""

import json
import os
import re
import unicodedata
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CACHE_FOLDER = ".imagespace"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Surrogates, but for those that stand for bytes that are no UTF-8.
_HALF_CHARACTER = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_HIDDEN = ("__MACOSX", "Thumbs.db", "desktop.ini")
# What marks a run folder (training/run_folder.py), and what its configuration's file holds.
_RUN_CONFIG, _RUN_SAMPLES, _RUN_KEYS = "config.json", "samples", {"config", "data"}


@dataclass(frozen=True)
class Unused:
    """A file, or a row of a table, that is not used, and why.

    `beside` marks what nobody would take for a picture or a caption (a README, a hidden file):
    it is listed, and not counted in the notes.
    """

    path: str
    reason: str
    beside: bool = False


def printable(name: str) -> str:
    r"""`name` on one line that can be printed.

    Control characters, and bytes that are no UTF-8, become \xNN; half characters \uNNNN.
    """
    name = _HALF_CHARACTER.sub(lambda found: f"\\u{ord(found[0]):04x}", name)
    name = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", name)
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def composed(name: str) -> str:
    """One spelling (NFC) for names that look alike: file systems differ in how they write é."""
    return unicodedata.normalize("NFC", name)


def by_composed_name(names: Iterable[str]) -> dict[str, str]:
    """The name of each composed spelling that only one file has."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(composed(name), []).append(name)
    return {spelling: same[0] for spelling, same in found.items() if len(same) == 1}


def walk_files(root: Path) -> tuple[list[str], list[Unused]]:
    """Paths relative to `root` in order, and what was passed over.

    Links to folders are followed after all real folders; none is entered twice, and none that
    holds `root` itself is entered at all. Nor is a run folder of training below `root`, which
    writes there what it draws.
    """
    files: list[str] = []
    unused: list[Unused] = []
    entered = {_identity(str(folder)) for folder in (root.resolve(), *root.resolve().parents)}
    folders, links = deque([""]), deque[str]()
    while folders or links:
        is_link = not folders
        folder = links.popleft() if is_link else folders.popleft()
        here = os.path.join(root, folder)
        try:
            if folder and _identity(here) in entered:
                reason = "it leads to a folder that is read already"
                unused.append(Unused(printable(folder), reason, beside=True))
                continue
            entered.add(_identity(here))
            entries = list(os.scandir(here))
        except OSError as error:
            unused.append(Unused(printable(folder or str(root)), path_fault(error)))
            continue
        if folder and _is_run_folder(entries):
            unused.append(Unused(printable(folder), "it is a run folder of training", beside=True))
            continue
        for entry in entries:
            name = os.path.join(folder, entry.name)
            if entry.name == CACHE_FOLDER and not folder:
                continue  # our own
            if entry.name.startswith(".") or entry.name in _HIDDEN:
                unused.append(Unused(printable(name), "it is hidden", beside=True))
            elif entry.is_dir(follow_symlinks=False):
                folders.append(name)
            elif entry.is_file(follow_symlinks=False):
                files.append(name)
            else:
                _sort_special(os.path.join(root, name), name, files, links, unused)
    return sorted(files), sorted(unused, key=lambda each: each.path)


def _is_run_folder(entries: list[os.DirEntry[str]]) -> bool:
    """Whether a folder is one that `imagespace train` wrote, interrupted or not."""
    named = {entry.name: entry for entry in entries}
    if _RUN_CONFIG not in named or _RUN_SAMPLES not in named:
        return False
    try:
        if not (named[_RUN_SAMPLES].is_dir() and named[_RUN_CONFIG].is_file()):
            return False
        record = json.loads(Path(named[_RUN_CONFIG].path).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.keys() >= _RUN_KEYS


def _sort_special(
    path: str, name: str, files: list[str], links: deque[str], unused: list[Unused]
) -> None:
    """Puts a link where its target belongs; pipes and devices must not be opened at all."""
    try:
        os.stat(path)
    except OSError as error:
        unused.append(Unused(printable(name), path_fault(error)))
        return
    if os.path.isdir(path):
        links.append(name)
    elif os.path.isfile(path):
        files.append(name)
    else:
        unused.append(Unused(printable(name), "it is no ordinary file", beside=True))


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def path_fault(error: OSError) -> str:
    """Why a path cannot be opened, in words."""
    if isinstance(error, PermissionError):
        return "it may not be read (no permission)"
    if isinstance(error, FileNotFoundError):
        return "there is no such file (a link that leads nowhere?)"
    return f"it cannot be opened ({error.strerror or error})"
