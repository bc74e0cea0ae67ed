"""What each figure and the page of an atlas folder was drawn from, so that none is drawn twice."""

import json
from pathlib import Path
from typing import Any

from imagespace.atlas.atlas import UNREADABLE, write_whole

DRAWN_FILE = "drawn.json"


def drawn_from(folder: Path, name: str) -> dict[str, Any]:
    """What the file `name` was drawn from; {} if it is not there, or nobody noted it."""
    return _notes(folder).get(name, {}) if (folder / name).is_file() else {}


def note_drawn(folder: Path, name: str, made_from: dict[str, Any] | None) -> None:
    """Notes what a file was drawn from; None, before it is drawn anew, that nobody knows.

    An interruption between the two has the file drawn again.
    """
    notes = {key: value for key, value in _notes(folder).items() if key != name}
    if made_from is not None:
        notes[name] = made_from
    text = json.dumps(notes, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    write_whole(folder / DRAWN_FILE, text.encode())


def _notes(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        notes = json.loads((folder / DRAWN_FILE).read_text(encoding="utf-8"))
    except UNREADABLE:
        notes = {}  # none yet, or torn: what it was about is drawn again
    of_files = notes.items() if isinstance(notes, dict) else ()
    return {name: made_from for name, made_from in of_files if isinstance(made_from, dict)}
