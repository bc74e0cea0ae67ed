"""Which captions a model has really never read."""

import numpy as np
from numpy.typing import NDArray

from imagespace.pictures.folder import PictureSet
from imagespace.pictures.split import HELD_OUT, TRAIN
from imagespace.pictures.unseen import compared, senses


def unread_rows(pictures: PictureSet) -> NDArray[np.int64]:
    """Held-out rows whose caption training never read."""
    rows = pictures.indices(HELD_OUT)
    chosen: NDArray[np.int64] = rows[is_unread(pictures, rows)]
    return chosen


def is_unread(pictures: PictureSet, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of each row, whether its caption is no caption, sense or alternative of a training picture.

    Whole captions are split apart already, and training no longer shows a sense or an alternative
    that is the caption of an unseen picture. It did until 2026-11-28, which a model's file does not
    tell: what its folder could have taught it counts as read, so that figures compare.
    """
    read = read_texts(pictures)
    unread = [compared(pictures.captions[row]) not in read for row in rows]
    return np.array(unread, dtype=bool)


def read_texts(pictures: PictureSet) -> set[str]:
    """Every caption, sense and alternative of a training picture, as `compared` writes it."""
    read = set()
    for row in pictures.indices(TRAIN):
        caption = pictures.captions[row]
        for text in (caption, *senses(caption), *pictures.alternatives[row]):
            read.add(compared(text))
    return read
