"""The words of a caption, in any script, that can tell one group of pictures from the others."""

import unicodedata
from functools import cache
from itertools import groupby, pairwise

_STOP_WORDS = frozenset(
    """a an and are as at be by for from in into is it its kind name of on one or other sort
    something that the this to type used variant same character with""".split()  # noqa: SIM905
)
# Particles and counting words of Chinese: between them stand the words.
_STOP_HAN = "的了是在和与及或这那有个只一着地"
# Of a script whose letters are syllables or meanings, fewer make a word.
_FEWEST_LETTERS = {"alphabet": 3, "hangul": 2, "hiragana": 2, "katakana": 2}


def words_of(caption: str) -> set[str]:
    """The telling words of a caption, each once, in lower case.

    Runs of at least three letters of an alphabet, two syllables of Hangul or kana; of Han, which is
    written without spaces, every character and every two that stand together.
    """
    words = set()
    text = unicodedata.normalize("NFC", caption.lower())
    for script, letters in groupby(text, _script):
        run = "".join(letters)
        if script == "han":
            words |= {*run, *map("".join, pairwise(run))}
        elif script and len(run) >= _FEWEST_LETTERS[script]:
            words.add(run)
    return words - _STOP_WORDS


def is_han(word: str) -> bool:
    """Whether a word is of Han, where a part of a word is often a word itself."""
    return _script(word[0]) == "han"


@cache
def _script(character: str) -> str:
    """The script of a letter or of a mark on one; "" of what stands between words."""
    if unicodedata.category(character)[0] not in "LM" or character in _STOP_HAN:
        return ""
    name = unicodedata.name(character, "")
    if name.startswith("CJK"):
        return "han"
    for script in ("hangul", "katakana", "hiragana"):
        if script.upper() in name:
            return script
    return "alphabet"
