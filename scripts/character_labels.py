"""What Unihan says of a character besides its radical, as further things for the judge to learn.

Most characters are a radical beside a part that tells their sound. Whoever can name that part knows
that the rest is the radical: the idea of learning both together (Caruana 1997, "Multitask
learning"). The second of the judge's networks learnt them; alone it reads no more radicals than the
first, which did not (docs/experiments.md).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imagespace.pictures.glyphs import unihan_folder
from imagespace.pictures.unihan import READINGS_FILE, SOURCES_FILE, read_fields

PHONETICS_FILE = "Unihan_DictionaryLikeData.txt"  # kPhonetic
UNKNOWN = -100  # what torch's cross-entropy passes over
MAX_STROKES = 32


@dataclass(frozen=True)
class CharacterLabel:
    """One further label: classes int64 [N], UNKNOWN where Unihan is silent, of `num_classes`."""

    name: str
    classes: np.ndarray
    num_classes: int


def character_labels(code_points: Sequence[int]) -> list[CharacterLabel]:
    """The syllable in Mandarin and Cantonese, the phonetic part and the strokes of the rest."""
    folder = unihan_folder()
    readings = read_fields(folder / READINGS_FILE, ("kMandarin", "kCantonese"))
    phonetics = read_fields(folder / PHONETICS_FILE, ("kPhonetic",))["kPhonetic"]
    radicals = read_fields(folder / SOURCES_FILE, ("kRSUnicode",))["kRSUnicode"]
    named = {
        "mandarin": [_toneless(readings["kMandarin"].get(c, "")) for c in code_points],
        "cantonese": [_toneless(readings["kCantonese"].get(c, "")) for c in code_points],
        "phonetic": [_phonetic(phonetics.get(c, "")) for c in code_points],
    }
    strokes = np.array(
        [min(max(int(radicals[c].split()[0].split(".")[1]), 0), MAX_STROKES) for c in code_points]
    )
    return [
        *(_classes(name, values) for name, values in named.items()),
        CharacterLabel("strokes", strokes, MAX_STROKES + 1),
    ]


def _toneless(reading: str) -> str:
    """ "jìng" -> "jing", "lǜ" -> "lu", "zi2 gwai1" -> "zi": the first syllable without its tone."""
    decomposed = unicodedata.normalize("NFD", reading.split()[0] if reading else "")
    return re.sub(r"[^a-z]", "", decomposed)


def _phonetic(value: str) -> str:
    """ "1530 1530A" -> "1530": the first group of Casey's index; * marks a later addition."""
    return re.sub(r"\D.*", "", value)


def _classes(name: str, values: Sequence[str]) -> CharacterLabel:
    """Numbers for the values that at least two characters share."""
    shared = sorted(value for value, count in Counter(values).items() if value and count > 1)
    number = {value: index for index, value in enumerate(shared)}
    classes = np.array([number.get(value, UNKNOWN) for value in values])
    return CharacterLabel(name, classes, len(shared))
