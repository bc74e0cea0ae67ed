"""From the bytes of one picture to its pixels, as a person would see it."""

import io
import math
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from imagespace.errors import UserError
from imagespace.pictures.colour_profile import to_srgb
from imagespace.pictures.file_walk import path_fault
from imagespace.pictures.svg import looks_like_svg, render_svg

FITS = ("pad", "crop", "stretch")
WHITE = (255, 255, 255)
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
# The largest that is decoded whole: 0.9 GB at 9 bytes a pixel (palette, RGBA, premultiplied).
MAX_DECODED_PIXELS = 100_000_000
# JPEG is decoded at a fraction of its size where that leaves a side 8 times the one drawn: 8-bit
# levels then differ by 0.4 on average from those of the whole picture; at 4 times, by 0.9.
_DRAFT_MARGIN = 8
# Pillow warns of what it can repair, and of sizes below its limit: we say what is left out.
warnings.filterwarnings("ignore", module=r"PIL\.")
# What decoders raise on damaged bytes.
DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, ArithmeticError),
    *(NotImplementedError, ImportError, MemoryError, struct.error, zlib.error),
    Image.DecompressionBombError,
    Warning,  # where warnings are errors
)


@dataclass(frozen=True)
class Rendering:
    """How pictures become squares: side, 1 (grey) or 3 (RGB) channels, fit and background.

    `pad` shows the whole picture on the background, `crop` its centre without any background,
    `stretch` all of it with its sides forced to be equal. UserError: a value that is none.
    """

    image_size_px: int
    num_channels: int
    fit: str = "pad"
    background: tuple[int, int, int] = WHITE

    def __post_init__(self) -> None:
        if self.num_channels not in (1, 3):
            value = f"{self.num_channels} channels"
            raise UserError(value, "pictures have 1 or 3", "Use 1 or 3.")
        if self.image_size_px < 1:
            value = f"image size {self.image_size_px} px"
            raise UserError(value, "it must be positive", "Use 64 or 128.")
        if self.fit not in FITS:
            value = f"fit {self.fit!r}"
            raise UserError(value, "there is no such fit", f"Use one of {', '.join(FITS)}.")
        if len(self.background) != 3 or not all(0 <= level <= 255 for level in self.background):
            value = f"background {self.background}"
            raise UserError(value, "it is three levels from 0 to 255", "Use 255, 255, 255.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """H, W, C of a picture."""
        return self.image_size_px, self.image_size_px, self.num_channels


class _PixelGate:
    """Lets threads decode together as long as their pictures have few enough pixels in all."""

    def __init__(self, limit: int) -> None:
        self._limit, self._held, self._changed = limit, 0, threading.Condition()

    @contextmanager
    def holding(self, num_pixels: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(
                lambda: self._held == 0 or self._held + num_pixels <= self._limit
            )
            self._held += num_pixels
        try:
            yield
        finally:
            with self._changed:
                self._held -= num_pixels
                self._changed.notify_all()


_gate = _PixelGate(MAX_DECODED_PIXELS)


def open_picture(
    file: Path | BinaryIO,
    image_size_px: int,
    num_channels: int,
    fit: str = "pad",
    background: tuple[int, int, int] = WHITE,
) -> NDArray[np.uint8]:
    """The first frame, upright, in sRGB, on the background, as a square: uint8 [H, W, C].

    Errors: UserError for impossible settings; one of `DAMAGE`, which `reason_of` words, for a
    picture that cannot be read.
    """
    return render(file, Rendering(image_size_px, num_channels, fit, background))


def render(file: Path | BinaryIO, rendering: Rendering) -> NDArray[np.uint8]:
    """`open_picture` under settings that are checked already."""
    with decoded(file, rendering.image_size_px, rendering.fit == "pad") as (image, profile):
        return drawn(image, profile, rendering)


def drawn(image: Image.Image, profile: bytes, rendering: Rendering) -> NDArray[np.uint8]:
    """What `decoded` yields as a square: uint8 [H, W, C]."""
    image = _composed(_resized(image, rendering), profile, rendering)
    return np.asarray(image, dtype=np.uint8).reshape(rendering.shape)


@contextmanager
def decoded(
    file: Path | BinaryIO, image_size_px: int, whole: bool = True
) -> Iterator[tuple[Image.Image, bytes]]:
    """The upright first frame in L, LA, RGB, RGBA, CMYK or LAB, and its colour profile.

    It is at least `image_size_px` large, but not always as large as the file says. Errors: DAMAGE.
    """
    raw = file.read() if not isinstance(file, Path) else b""
    start = raw[:1024]
    if isinstance(file, Path):
        with file.open("rb") as opened:
            start = opened.read(1024)
    if not start:
        raise ValueError("it is empty")
    if looks_like_svg(start):
        svg = file.read_bytes() if isinstance(file, Path) else raw
        yield render_svg(svg, 2 * image_size_px, whole), b""
        return
    source = file if isinstance(file, Path) else io.BytesIO(raw)
    with Image.open(source, formats=FORMATS) as image:
        num_pixels = image.width * image.height
        if image.format in ("JPEG", "MPO"):
            side = _DRAFT_MARGIN * image_size_px
            shrunk = min(1.0, side / min(image.size))
            image.draft(None, (math.ceil(image.width * shrunk), math.ceil(image.height * shrunk)))
            if "progressive" not in image.info:  # of those, the decoder holds all coefficients
                num_pixels = image.width * image.height
        if num_pixels > MAX_DECODED_PIXELS:
            raise Image.DecompressionBombError(f"({num_pixels} pixels)")
        with _gate.holding(num_pixels):
            profile = image.info.get("icc_profile") or b""
            yield _plain_mode(_upright(image)), profile


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    # Damaged EXIF, of which anything may be raised, is no damage to the picture.
    with suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _plain_mode(image: Image.Image) -> Image.Image:
    """The same picture in L, LA, RGB, RGBA, CMYK or LAB."""
    if image.mode.startswith("I"):
        return _from_16_bits(image)
    if image.mode == "F":
        return _from_fractions(image)
    if image.mode in ("LA", "RGBA", "CMYK", "LAB"):
        return image
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in ("1", "L"):
        return image.convert("L")
    return image.convert("RGB")


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Levels 0..65535 as round(level / 257); Pillow itself would clip them at 255."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"its levels run from {values.min()} to {values.max()}, beyond 16 bits")
    levels = np.empty(values.shape, np.uint8)
    for row in range(0, len(values), 256):  # in strips, so that wide copies stay small
        levels[row : row + 256] = (values[row : row + 256].astype(np.uint32) + 128) // 257
    grey = Image.fromarray(levels)
    hidden = image.info.get("transparency")
    if isinstance(hidden, int):
        grey.putalpha(Image.fromarray(np.where(values == hidden, 0, 255).astype(np.uint8)))
    return grey


def _from_fractions(image: Image.Image) -> Image.Image:
    """Levels 0..1 in floating point as round(255 level); which white others have is not known."""
    values = np.asarray(image)
    if not (values.min() >= 0 and values.max() <= 1):
        raise ValueError(
            f"its levels are fractions from {values.min():g} to {values.max():g}, not from 0 to 1"
        )
    return Image.fromarray(np.round(values * np.float32(255)).astype(np.uint8))


def _resized(image: Image.Image, rendering: Rendering) -> Image.Image:
    """The picture, or what is to be seen of it, with its longer side (`pad`) or both as asked.

    Alpha is weighed in (Pillow premultiplies), so that hidden colours do not bleed.
    """
    side = rendering.image_size_px
    width, height = image.size
    left, top = 0, 0
    if rendering.fit == "crop":
        seen = min(width, height)
        left, top, width, height = (width - seen) // 2, (height - seen) // 2, seen, seen
    size = (side, side)
    if rendering.fit == "pad":
        scale = side / max(width, height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == image.size:
        return image
    # A box over whole pixels cannot ring; elsewhere Lanczos keeps edges.
    is_whole = width % size[0] == 0 and height % size[1] == 0
    kernel = Image.Resampling.BOX if is_whole else Image.Resampling.LANCZOS
    return image.resize(size, kernel, box=(left, top, left + width, top + height))


def _composed(image: Image.Image, profile: bytes, rendering: Rendering) -> Image.Image:
    """The picture in sRGB over the background, in the middle of a square, in L or RGB."""
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    if alpha is not None:
        image = image.convert(image.mode.removesuffix("A"))
    image = to_srgb(image, profile)
    if alpha is not None:
        image = image.convert("RGB")
        image.putalpha(alpha)
        image = Image.alpha_composite(
            Image.new("RGBA", image.size, (*rendering.background, 255)), image
        )
    mode = "L" if rendering.num_channels == 1 else "RGB"
    side = rendering.image_size_px
    if image.size == (side, side):
        return image.convert(mode)
    square = Image.new("RGB", (side, side), rendering.background).convert(mode)
    square.paste(image.convert(mode), ((side - image.width) // 2, (side - image.height) // 2))
    return square


def reason_of(error: BaseException) -> str:
    """Why a picture cannot be read, in words, from one of `DAMAGE`."""
    text = " ".join(str(error).split())
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        number = re.search(r"\d+", text)
        pixels = f"{int(number[0]):,} pixels" if number else "too many pixels"
        return f"it has {pixels}: more than is decoded at once; save it smaller"
    if isinstance(error, UnidentifiedImageError):
        return "it is no picture of a format that is read"
    if isinstance(error, OSError) and error.errno is not None:
        return path_fault(error)
    if "truncated" in text.lower() or "end of file" in text.lower():
        return f"it is cut short ({text})"
    if isinstance(error, ImportError) or text.startswith(("it ", "its ")):
        return text
    return f"it cannot be decoded ({text or type(error).__name__})"
