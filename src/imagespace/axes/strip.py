"""A strip of pictures: one axis turned from left to right, one picture a row."""

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagespace.pictures.contact_sheet import contact_sheet
from imagespace.pipeline import Model, SamplingOptions, pixels_to_image

SWEEP = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)


def sweep(
    model: Model,
    name: str,
    prompts: Sequence[str],
    num: int = 1,
    seed: int = 0,
    values: Sequence[float] = SWEEP,
    **sampling: Unpack[SamplingOptions],
) -> NDArray[np.uint8]:
    """Pictures uint8 [V, N, H, W, C] of the same seeds, with an axis at each of the values."""
    drawn = [
        model.generate(prompts, num, seed, axes={name: value}, **sampling).pixels
        for value in values
    ]
    return np.stack(drawn)


def strip(pixels: NDArray[np.uint8], name: str, values: Sequence[float] = SWEEP) -> Image.Image:
    """The sheet of a sweep [V, N, H, W, C], a row for each picture."""
    images = [pixels_to_image(one) for row in pixels.swapaxes(0, 1) for one in row]
    labels = [f"{name} {value:+g}" if value else "as drawn" for value in values]
    return contact_sheet(images, labels * pixels.shape[1], len(values))
