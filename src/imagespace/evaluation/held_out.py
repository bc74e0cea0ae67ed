"""Which captions a model has really never read."""

import numpy as np
from numpy.typing import NDArray

from imagespace.pictures.folder import PictureSet
from imagespace.pictures.split import HELD_OUT, TRAIN, normalised_words


def unread_rows(pictures: PictureSet) -> NDArray[np.int64]:
    """Held-out rows whose caption training never read."""
    rows = pictures.indices(HELD_OUT)
    chosen: NDArray[np.int64] = rows[is_unread(pictures, rows)]
    return chosen


def is_unread(pictures: PictureSet, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of each row, whether its caption is no caption, sense or alternative of a training picture.

    Whole captions are split apart already; but training also shows the senses of "a; b" alone.
    """
    read = read_texts(pictures)
    unread = [normalised_words(pictures.captions[row]) not in read for row in rows]
    return np.array(unread, dtype=bool)


def read_texts(pictures: PictureSet) -> set[str]:
    """The normalised words of every caption, sense and alternative that training shows."""
    read = set()
    for row in pictures.indices(TRAIN):
        caption = pictures.captions[row]
        for text in (caption, *caption.split(";"), *pictures.alternatives[row]):
            read.add(normalised_words(text))
    return read
