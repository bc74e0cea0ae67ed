"""Thumbnails of many pictures as one sheet of sprites."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SPRITE_PX = 24
_WEBP_QUALITY = 40
_NUM_GREYS = 4  # as many as the edge of a stroke needs; a sheet of glyphs is half a WebP's size


@dataclass(frozen=True)
class Sprites:
    """`pixels` uint8 [N, S, S, C]: thumbnail i of picture i."""

    pixels: NDArray[np.uint8]

    @property
    def num_columns(self) -> int:
        """Of the sheet, about as wide as it is high."""
        return max(1, int(np.ceil(len(self.pixels) ** 0.5)))

    def sheet(self) -> Image.Image:
        """All sprites row by row in one picture, grey (L) or RGB."""
        num, size, _, channels = self.pixels.shape
        columns = self.num_columns
        rows = -(-num // columns)
        padded = np.full((rows * columns, size, size, channels), 255, np.uint8)
        padded[:num] = self.pixels
        grid = padded.reshape(rows, columns, size, size, channels).transpose(0, 2, 1, 3, 4)
        flat = grid.reshape(rows * size, columns * size, channels)
        return Image.fromarray(flat[..., 0] if channels == 1 else flat)

    def as_file(self) -> bytes:
        """The sheet as a file: grey sprites as a PNG of four greys, coloured ones as WebP."""
        buffer = io.BytesIO()
        if self.pixels.shape[3] == 1:
            paletted = Image.fromarray(_to_levels(np.asarray(self.sheet()))).convert("P")
            greys = np.arange(_NUM_GREYS) * 255 // (_NUM_GREYS - 1)
            paletted.putpalette(np.repeat(greys, 3).astype(np.uint8).tobytes())
            paletted.save(buffer, "png", bits=2, optimize=True)
        else:
            buffer.write(self.as_webp())
        return buffer.getvalue()

    def as_webp(self) -> bytes:
        """The sheet as a WebP file."""
        buffer = io.BytesIO()
        self.sheet().save(buffer, "webp", quality=_WEBP_QUALITY, method=4)
        return buffer.getvalue()


def _to_levels(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scaled = pixels.astype(np.float32) * (_NUM_GREYS - 1) / 255
    levels: NDArray[np.uint8] = scaled.round().astype(np.uint8)
    return levels


def as_kept(pixels: NDArray[np.uint8]) -> Sprites:
    """Sprites as the file of an atlas keeps them: grey ones in four greys."""
    if pixels.shape[3] != 1:
        return Sprites(pixels)
    return Sprites((_to_levels(pixels).astype(np.int64) * 255 // (_NUM_GREYS - 1)).astype(np.uint8))


def sprites_from_sheet(sheet: Image.Image, num: int, size_px: int, channels: int) -> Sprites:
    """The first `num` sprites of a sheet; the inverse of `Sprites.sheet` but for compression."""
    flat = np.asarray(sheet.convert("L" if channels == 1 else "RGB"))
    rows, columns = flat.shape[0] // size_px, flat.shape[1] // size_px
    grid = flat.reshape(rows, size_px, columns, size_px, channels).transpose(0, 2, 1, 3, 4)
    return Sprites(np.ascontiguousarray(grid.reshape(-1, size_px, size_px, channels)[:num]))


def shrink(pictures: NDArray[np.uint8], size_px: int = SPRITE_PX) -> NDArray[np.uint8]:
    """uint8 [N, H, W, C] -> [N, S, S, C] by box filter; smaller pictures are enlarged."""
    num, _, _, channels = pictures.shape
    shrunk = np.empty((num, size_px, size_px, channels), np.uint8)
    for index, picture in enumerate(pictures):
        image = Image.fromarray(picture[..., 0] if channels == 1 else picture)
        small = image.resize((size_px, size_px), Image.Resampling.BOX)
        shrunk[index] = np.asarray(small).reshape(size_px, size_px, channels)
    return shrunk
