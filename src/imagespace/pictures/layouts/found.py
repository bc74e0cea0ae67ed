"""What a layout found: pictures with their rows, and what it does not use."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from imagespace.pictures.file_walk import Unused
from imagespace.pictures.source import Source
from imagespace.pictures.split import HELD_OUT, TRAIN, VALIDATION, split_of

PICTURE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".gif", ".bmp"),
    *(".tif", ".tiff", ".svg"),
)
TEXT_SUFFIXES = (".txt", ".caption")
_SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing", "held_out", "held-out"), HELD_OUT),
}


@dataclass
class Found:
    """Pictures in order; `rows[i]` (file_name, text, also, split, ...) describes `sources[i]`.

    `recognised` says in one line what the folder is and why.
    """

    recognised: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    unused: list[Unused] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, source: Source, row: dict[str, Any]) -> None:
        """One more picture."""
        self.sources.append(source)
        self.rows.append(row)


def counted(num: int, singular: str, plural: str) -> str:
    """ "1 picture has", "2,000 pictures have"."""
    return f"{num:,} {singular if num == 1 else plural}"


def is_picture(name: str) -> bool:
    """Whether a file's name is that of a picture."""
    return name.lower().endswith(PICTURE_SUFFIXES)


def picture_row(name: str, captions: Sequence[str], split: str | None = None) -> dict[str, Any]:
    """The row of a picture: its first caption, and the others, each once."""
    first, *others = [caption for caption in dict.fromkeys(captions) if caption] or [""]
    return {"file_name": name, "text": first, "also": others, "split": split}


def fill_splits(rows: list[dict[str, Any]], by_name: bool) -> None:
    """Gives each row that has none its split: by a hash of its caption, else of its name.

    Where only some splits are given, those that are not are taken out of training by that hash.
    """
    given = {row["split"] for row in rows} - {None}
    for row in rows:
        drawn = split_of(row["file_name"] if by_name else row["text"] or row["file_name"])
        if row["split"] is None or (row["split"] == TRAIN and drawn not in given):
            row["split"] = drawn


def splits_of_folders(names: Iterable[str]) -> dict[str, str]:
    """Split of each picture where all lie in folders named after splits, training among them.

    {} where they do not. Such folders describe no picture.
    """
    splits = {name: _SPLIT_NAMES.get(_first_part(name)) for name in names}
    if None in splits.values() or len(set(splits.values())) < 2 or TRAIN not in splits.values():
        return {}
    return {name: split for name, split in splits.items() if split is not None}


def split_of_shard(name: str) -> str | None:
    """The split that an archive or table is named after ("data/train-00000-of-00004.parquet")."""
    words = PurePath(name).name.lower().replace("_", "-").replace(".", "-").split("-")
    return _SPLIT_NAMES.get(words[0]) or _SPLIT_NAMES.get(_first_part(name))


def _first_part(name: str) -> str:
    parts = PurePath(name).parts
    return parts[0].lower() if len(parts) > 1 else ""
