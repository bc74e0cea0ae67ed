"""Captions of pictures that training does not see, which it must not be shown under others."""

from collections.abc import Iterable

from imagespace.pictures.folder import PictureSet
from imagespace.pictures.split import TRAIN, normalised_words


def senses(caption: str) -> list[str]:
    """ "a; b" as ["a", "b"]; a caption without semicolons is its only sense."""
    return [sense.strip() for sense in caption.split(";") if sense.strip()]


def compared(text: str) -> str:
    """What two captions that say the same have in common: that by which pictures are split."""
    return normalised_words(text) or text.strip()


def unseen_captions(pictures: PictureSet) -> set[str]:
    """The `compared` captions of validation and held-out pictures.

    Their alternatives are not among them: a glyph's radical is the same on both sides.
    """
    rows = zip(pictures.captions, pictures.splits, strict=True)
    return {compared(caption) for caption, split in rows if caption and split != TRAIN}


def not_unseen(texts: Iterable[str], unseen: set[str]) -> list[str]:
    """Those of the texts that are no caption of an unseen picture."""
    return [text for text in texts if compared(text) not in unseen]
