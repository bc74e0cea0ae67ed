"""Labels in a set's metadata: what a map can be coloured by and its clusters named after."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

MOST_LABELS = 300
MOST_NUMBERS = 64  # with more kinds, whole numbers are counts or years and name nothing
REQUIRED_SHARE = 0.5  # of the pictures that carry the label at all
_NOT_LABELS = ("file_name", "text", "split", "licence", "held_out")


def label_columns(metadata: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Fields that sort pictures into kinds, "" where a picture has none; fewest kinds first.

    A field counts if it is words of 2 to 300 kinds or whole numbers of 2 to 64, on at least half of
    the pictures, of ten pictures a kind or more on the average: "structure" of glyphs, "group" of
    emoji and `"label": 3` do. Fields of numbers come last.
    """
    found = {}
    for name in dict.fromkeys(key for row in metadata for key in row):
        if name in _NOT_LABELS:
            continue
        column = [_as_kind(row.get(name)) for row in metadata]
        kinds = Counter(value for value in column if value)
        num = kinds.total()
        if num < REQUIRED_SHARE * len(metadata) or len(kinds) < 2:
            continue
        is_numbers = are_numbers(column)
        if len(kinds) <= min(MOST_NUMBERS if is_numbers else MOST_LABELS, num / 10):
            found[name] = ((is_numbers, len(kinds)), column)
    return {name: found[name][1] for name in sorted(found, key=lambda name: found[name][0])}


def are_numbers(column: Sequence[str]) -> bool:
    """Whether all kinds of a column are whole numbers, which say nothing without its name."""
    return all(kind.removeprefix("-").isdecimal() for kind in set(column) - {""})


def _as_kind(value: Any) -> str:
    """A word as it is, a whole number (3 or 3.0) in digits; "" for all else."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # no file can hold half characters
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(int(value)) if float(value).is_integer() else ""
