"""Draw emoji: SVG or pixels onto white, and tell which drawings are nearly the same."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagespace.pictures.decoding import open_picture
from imagespace.pictures.emoji_styles import Drawing

SIGNATURE_SIZE_PX = 32
# Root mean square of the difference of two signatures, in levels of 0 to 255. Below it lie re-used
# drawings (a full moon and a yellow circle at 1.4, the flags of Norway and Bouvet Island at 1.0 to
# 2.0), above it the two frowning faces (4.9) and clocks of neighbouring hours (11).
ALIKE_LEVELS = 3.5


@dataclass(frozen=True)
class DrawingJob:
    """One picture to write."""

    drawing: Drawing
    file: Path
    image_size_px: int


def draw_emoji(drawing: Drawing, image_size_px: int) -> NDArray[np.uint8]:
    """The drawing (a file, or the text of an SVG) on white, uint8 [H, W, 3].

    ValueError: the SVG is malformed.
    """
    file = drawing if isinstance(drawing, Path) else io.BytesIO(drawing.encode())
    return open_picture(file, image_size_px, 3)


def write_emoji(job: DrawingJob) -> NDArray[np.uint8]:
    """Writes the PNG and answers its signature, uint8 [32, 32, 3]; all 255 if it shows nothing."""
    image = Image.fromarray(draw_emoji(job.drawing, job.image_size_px))
    # Level 1 is twice as fast as the default and the files hardly grow.
    image.save(job.file, compress_level=1)
    small = image.resize((SIGNATURE_SIZE_PX, SIGNATURE_SIZE_PX), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.uint8)


def repeats(
    signatures: Sequence[NDArray[np.uint8]], levels: float = ALIKE_LEVELS
) -> list[int | None]:
    """For each picture the index of an earlier kept one that looks alike, or None: it is kept.

    Alike is a root mean square difference below `levels`, of all values of the signature.
    """
    if not signatures:
        return []
    flat = np.stack(signatures).reshape(len(signatures), -1).astype(np.float64)
    squares = (flat**2).sum(axis=1)
    # Whole numbers throughout: exact, although large ones are subtracted.
    alike = squares[:, None] + squares - 2 * flat @ flat.T < levels**2 * flat.shape[1]
    found: list[int | None] = []
    kept = np.zeros(len(flat), bool)
    for i in range(len(flat)):
        near = np.flatnonzero(alike[i] & kept)
        found.append(int(near[0]) if len(near) else None)
        kept[i] = not len(near)
    return found
