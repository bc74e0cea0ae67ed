"""Fonts that can draw a map's names: matplotlib's own has no Chinese, Japanese or Korean."""

import logging
from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import cache

from imagespace.errors import UserError

OWN = "DejaVu Sans"
_FIRST_HANGUL = 0x1100  # what comes before it, matplotlib's own font has or no font of ours does


def fonts_for(words: Iterable[str]) -> AbstractContextManager[None]:
    """Text that is made inside is drawn with fonts that have the characters of these words."""
    from matplotlib import rc_context

    return rc_context({"font.family": families_for(words)})


def families_for(words: Iterable[str]) -> list[str]:
    """The families in the order in which each character is looked for.

    The font that the glyphs are drawn with serves where its package is installed.
    """
    if all(ord(character) < _FIRST_HANGUL for word in words for character in word):
        return [OWN]
    return [OWN, *_cjk()]


@cache
def _cjk() -> list[str]:
    from matplotlib.font_manager import FontProperties, fontManager

    from imagespace.pictures.glyphs import font_file

    try:
        file = font_file()
    except UserError:
        return []
    fontManager.addfont(file)
    # It has one weight: that bold is drawn with it is no news.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    return [FontProperties(fname=file).get_name()]
