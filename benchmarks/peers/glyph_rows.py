"""The rows that every model trains on and is judged against, and batches of them."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagespace.errors import UserError
from imagespace.pictures.folder import PictureSet
from imagespace.pictures.split import HELD_OUT, TRAIN, VALIDATION

LEFT_OUT = "left_out"
WITH_CAPTIONS = "unseen-captions"  # the samples that ours draws for the captions of unseen rows


def captioned_only(pictures: PictureSet) -> PictureSet:
    """The same pictures, with training rows that have no caption out of every split.

    UserError: no captioned training picture is left.
    """
    captioned = np.array([bool(caption) for caption in pictures.captions])
    splits = np.where((pictures.splits == TRAIN) & ~captioned, LEFT_OUT, pictures.splits)
    if not (splits == TRAIN).any():
        raise UserError("training split", "no picture in it has a caption", "Caption some.")
    return replace(pictures, splits=splits, key=f"{pictures.key}-captioned")


def unseen_rows(pictures: PictureSet) -> NDArray[np.int64]:
    """Rows of the splits that no model trains on."""
    return np.concatenate([pictures.indices(VALIDATION), pictures.indices(HELD_OUT)])


def batches(pictures: PictureSet, size: int, lowest: float, seed: int) -> Iterator[Tensor]:
    """Endless batches float32 [size, 1, H, W] in [lowest, 1]; every epoch in an order of its own.

    An epoch's last pictures, too few for a batch, are left out, or taken whole if all are so few.
    """
    rows = pictures.indices(TRAIN)
    random = np.random.default_rng(seed)
    while True:
        order = random.permutation(rows)
        for start in range(0, max(1, len(rows) - size + 1), size):
            pixels = pictures.pixels[np.sort(order[start : start + size])]
            unit = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
            yield lowest + (1 - lowest) * unit
