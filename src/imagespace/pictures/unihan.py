"""Read the Unihan fields that a glyph's caption and labels come from, and tidy the captions.

Source: Unicode Standard Annex 38; the text files of Unihan 14.0.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

READINGS_FILE = "Unihan_Readings.txt"  # kDefinition
SOURCES_FILE = "Unihan_IRGSources.txt"  # kRSUnicode, kTotalStrokes
RADICALS_FILE = "Unihan_RadicalStrokeCounts.txt"  # kRSKangXi, kRSAdobe_Japan1_6

_CJK = "⺀-⿟〇-〩㐀-鿿豈-﫿\U00020000-\U0003ffff"
_GLYPH = (
    rf"(?:\[?U\+?[0-9A-Fa-f]{{4,5}}(?![0-9A-Za-z])\]?|[0-9A-F]{{4}}(?=\s*[{_CJK}])|"
    rf"HANGZHOU NUMERAL [A-Z]+|[{_CJK}]+)"
)
_GLYPHS = rf"{_GLYPH}(?:(?:\s|,|/|\band\b|\bor\b)*{_GLYPH})*"
_MANNER = (
    r"(?:simplified|simple|simp\.|ancient|old|archaic|obsolete|corrupted|corrupt|incorrect|wrong|"
    r"erroneous|mistaken|(?:non-?\s?|un)?(?:classical|standard|simplified|authori[sz]ed)|original|"
    r"abbreviated|alternate|alternative|alternant|vulgar|popular|common|modern|regular|usual|"
    r"traditional|accounting|bank|(?:the\s)?(?:small|large|great)\sseal|seal)"
)
_FORM = r"(?:form|from|type|variant|version|character|writing|graph|way\sof\swriting|var\.)"
_KIND = (
    rf"(?:sa[mn]e\s+as(?:\s+of)?|same|identical\s+(?:with|to)|(?:{_MANNER}[\s,/]*(?:and|or)?\s*)*{_FORM}s?"
    rf"(?:\s+{_FORM})?(?:\s+of)?|(?:{_MANNER}[\s,]*)+(?:of)?|"
    r"interchange?a?ble(?:\s+with)?|interchanged\s+with|used\s+(?:for|as|interchangeably\s+with)|"
    r"equivalent\s+(?:to|of)|synonym(?:ous)?\s+(?:of|with|for)|distinguish(?:ed)?(?:\s+from)?|"
    r"(?:not\s+to\s+be\s+)?confused\s+with|see(?:\s+also)?|cf\.?|compare|"
    r"abbreviation\s+(?:of|for)|error\s+for|misprint\s+for|contraction\s+of)"
)
_LEAD = r"(?:a|an|the|as|and|or|also|now|usually|often|sometimes|formerly|questionable|is)"
_KINDS = rf"(?:{_LEAD}\s+)*{_KIND}(?:[\s,;]*(?:{_LEAD}\s+)*{_KIND})*"
_REFERENCE = re.compile(
    rf"\b{_KINDS}[\s,:]*(?:{_GLYPHS}(?:\s*\(\s*{_GLYPHS}\s*\))?|\(\s*{_GLYPHS}\s*\))",
    re.IGNORECASE,
)
_ONLY_KINDS = re.compile(rf"\s*{_KINDS}[\s,.;]*", re.IGNORECASE)
_RADICAL = re.compile(
    r"[,\s]*\b(?:(?:the|a|first|is|form|simplified|variant|of|kangxi|gb|japanese)\s+)*"
    r"(?:radical|rad\.)\s*(?:number|no\.)?\s*\d+",
    re.IGNORECASE,
)
_MARK = re.compile(
    r"(?:(?:a\s+)?dialect|literally|dial\.?|cant\.?|cantonese|vulg\.?|coll\.?|J|JP|K|V|archaic|obs\.?|"
    r"various|kokuji|\?|questionable variant)(?:\s*[,/]\s*(?:vulg\.?|coll\.?|cant\.?|J))*\.?",
    re.IGNORECASE,
)
_INNERMOST = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]")
_READING = re.compile(r"\b([a-z]+)[1-6]\b")  # jyutping or pinyin with its tone digit
_READINGS = re.compile(r"\b(?:[a-z]+[1-6]){2,}\b")
_DANGLING = re.compile(
    r"(?:^|\s)(?:of|with|in|for|as|from|and|or|see|to|by|form|component|than|character|e\.g|called)"
    r"(?:,? etc)?$"
)
_TO_ASCII = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "—": " - ", "–": "-", "ʒ": "z"})


@dataclass(frozen=True)
class UnihanEntry:
    """What Unihan says of one character; `definition` is raw ("" when there is none).

    `radical` is the first that kRSUnicode lists; `other_radicals` are those under which it, the
    Kangxi dictionary or Adobe-Japan1-6 list the character besides.
    """

    definition: str
    radical: int
    strokes: int
    other_radicals: tuple[int, ...] = ()


def read_unihan(folder: Path) -> dict[int, UnihanEntry]:
    """Entries by code point, of every character that has a radical, from the files in `folder`."""
    definitions = read_fields(folder / READINGS_FILE, ("kDefinition",))["kDefinition"]
    sources = read_fields(folder / SOURCES_FILE, ("kRSUnicode", "kTotalStrokes"))
    others = read_fields(folder / RADICALS_FILE, ("kRSKangXi", "kRSAdobe_Japan1_6"))
    entries = {}
    for code_point, radical_strokes in sources["kRSUnicode"].items():
        radical, *listed = _radicals(radical_strokes)
        for field in others.values():
            listed += _radicals(field.get(code_point, ""))
        strokes = int(sources["kTotalStrokes"].get(code_point, "0").split()[0])
        other_radicals = tuple(sorted(set(listed) - {radical}))
        definition = definitions.get(code_point, "")
        entries[code_point] = UnihanEntry(definition, radical, strokes, other_radicals)
    return entries


def _radicals(value: str) -> list[int]:
    """ "120'.3 61.0" -> [120, 61] (' marks a simplified radical); "C+1234+85.3.5" -> [85]."""
    return [int(re.split(r"['.]", entry.split("+")[-1])[0]) for entry in value.split()]


def read_fields(path: Path, names: tuple[str, ...]) -> dict[str, dict[int, str]]:
    """Values by field and code point of a Unihan file.

    Lines are `U+4E00<tab>kField<tab>value`; `#` starts a comment line.
    """
    fields: dict[str, dict[int, str]] = {name: {} for name in names}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            parts = line.rstrip("\n").split("\t")
            if len(parts) == 3 and parts[1] in fields:
                fields[parts[1]][int(parts[0].removeprefix("U+"), 16)] = parts[2]
    return fields


def clean_definition(raw: str) -> list[str]:
    """The senses of a kDefinition that say what the character means; [] if none does.

    Dropped: references to other characters, marks such as "(Cant.)", radical numbers, CJK
    characters and tone digits. Kept: every comma, and every parenthesis that carries meaning.
    """
    text = _fold(raw)
    text = _RADICAL.sub("", text)
    text = _REFERENCE.sub("", text)
    text = _resolve_parentheses(text)
    senses: list[str] = []
    for sense in text.split(";"):
        tidy = _tidy(sense)
        if tidy and tidy.lower() not in {kept.lower() for kept in senses}:
            senses.append(tidy)
    return senses


def _fold(text: str) -> str:
    """Latin letters without accents, plain quotes; CJK characters stay as they are."""
    text = unicodedata.normalize("NFD", text.translate(_TO_ASCII))
    return "".join(c for c in text if not unicodedata.combining(c))


def _resolve_parentheses(text: str) -> str:
    """Drop the parentheses that mark or refer; keep the text of all others."""
    kept: list[str] = []

    def resolve(match: re.Match[str]) -> str:
        inside = match[1] if match[1] is not None else match[2]
        bare = re.sub(_GLYPH, "", inside).strip(" ,;:.")
        if not re.search(r"\w", bare):
            # What a reference led to is a sense of its own.
            return " ".join(re.findall(_GLYPH, inside)) or ";"
        if _ONLY_KINDS.fullmatch(bare) or "DKW" in bare:
            return ";"
        if re.search(_GLYPH, inside) and _DANGLING.search(bare):
            return " "
        is_reading = match[2] is not None and " " not in bare
        if _MARK.fullmatch(bare) or is_reading:
            return " "
        kept.append(inside.strip(" ,;"))
        return f"\x00{len(kept) - 1}\x01"  # hides its brackets and semicolons

    while _INNERMOST.search(text):
        text = _INNERMOST.sub(resolve, text)
    text = re.sub(r"[()\[\]]", " ", text)  # the unbalanced ones
    while "\x00" in text:
        # Commas for semicolons, so that the senses can be split.
        text = re.sub(
            "\x00(\\d+)\x01", lambda found: f"({kept[int(found[1])].replace(';', ',')})", text
        )
    return text


def _tidy(sense: str) -> str:
    """One sense without CJK characters, code points, tone digits and stray punctuation."""
    had_glyph = re.search(_GLYPH, sense) is not None
    sense = re.sub(_GLYPH, " ", sense)
    sense = _READING.sub(r"\1", _READINGS.sub(" ", sense))
    sense = re.sub(r"[^\x20-\x7e]", " ", sense)
    sense = re.sub(r"\(\s*\)", " ", sense)
    sense = re.sub(r"\s+", " ", sense)
    sense = re.sub(r"\s+([,.)])", r"\1", re.sub(r"\(\s+", "(", sense))
    sense = re.sub(r"(?:,\s*)+,", ",", sense).strip(" ,.:-/=")
    if (had_glyph and _DANGLING.search(sense)) or "DKW" in sense:
        return ""
    if sense.endswith(" etc"):
        sense += "."
    return sense if re.search(r"[A-Za-z]", sense) and sense.lower() != "radical" else ""
