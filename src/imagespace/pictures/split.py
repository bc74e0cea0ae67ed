"""A split that is fixed by the words of the caption, so that no caption is on two sides."""

import hashlib
import re

TRAIN, VALIDATION, HELD_OUT = "train", "validation", "held_out"
SPLITS = (TRAIN, VALIDATION, HELD_OUT)
_EMPTY_WORDS = frozenset(("a", "an", "the", "to"))
_VALIDATION_PER_THOUSAND = 50
_HELD_OUT_PER_THOUSAND = 50


def normalised_words(text: str) -> str:
    """The caption's words in lower case without punctuation, articles and the "to" of verbs.

    Captions that differ in these alone ("to burn", "burn") say the same and stay together.
    """
    words = re.findall(r"[^\W_]+", text.casefold())
    return " ".join([word for word in words if word not in _EMPTY_WORDS] or words)


def split_of(text: str) -> str:
    """ "train" (90 %), "validation" (5 %) or "held_out" (5 %), by the caption's words alone.

    A caption without any letter or digit is compared as it stands.
    """
    name = normalised_words(text) or text
    draw = draw_per_thousand(name)
    if draw < _HELD_OUT_PER_THOUSAND:
        return HELD_OUT
    if draw < _HELD_OUT_PER_THOUSAND + _VALIDATION_PER_THOUSAND:
        return VALIDATION
    return TRAIN


def draw_per_thousand(name: str) -> int:
    """0 to 999, even over names and fixed for good."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % 1000
