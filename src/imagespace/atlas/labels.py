"""Labels in a set's metadata: what a map can be coloured by and its clusters named after."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

MOST_LABELS = 300
REQUIRED_SHARE = 0.5  # of the pictures that carry the label at all
_NOT_LABELS = ("file_name", "text", "split", "licence", "held_out")


def label_columns(metadata: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Fields that sort pictures into kinds, "" where a picture has none; fewest kinds first.

    A field counts if it is words, on at least half of the pictures, of 2 to 300 kinds and of ten
    pictures a kind or more on the average: "structure" of glyphs and "group" of emoji do.
    """
    found = {}
    for name in dict.fromkeys(key for row in metadata for key in row):
        if name in _NOT_LABELS:
            continue
        column = [row[name] if isinstance(row.get(name), str) else "" for row in metadata]
        kinds = Counter(value for value in column if value)
        num = kinds.total()
        if num < REQUIRED_SHARE * len(metadata) or len(kinds) < 2:
            continue
        if len(kinds) <= min(MOST_LABELS, num / 10):
            found[name] = (len(kinds), column)
    return {name: found[name][1] for name in sorted(found, key=lambda name: found[name][0])}
