"""What kinds of pictures a set holds, found by looking at each, without packing any."""

import os
import shlex
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from imagespace.errors import UserError
from imagespace.pictures.colour_profile import to_srgb
from imagespace.pictures.decoding import DAMAGE, FORMATS, decoded, reason_of
from imagespace.pictures.source import Source

_LOOK_PX = 128  # pictures are looked at in about this size
# Of 255 levels between channels: compressed grey pictures stay below, a faint tint does not.
_LEAST_COLOUR = 16


@dataclass(frozen=True)
class Inspected:
    """One picture: its size as shown, Pillow's mode, and whether it has colour and alpha.

    `fault` says why it cannot be read, and is "" where it can; all else is then 0 and false.
    """

    width_px: int = 0
    height_px: int = 0
    mode: str = ""
    has_colour: bool = False
    has_alpha: bool = False
    has_profile: bool = False
    fault: str = ""


def inspect(source: Source, look: Callable[[Image.Image, bytes], None] | None = None) -> Inspected:
    """Decodes one picture as far as needed. It never raises on a damaged one.

    `look` sees what was decoded, as `decoding.drawn` takes it, so that none is decoded twice.
    """
    try:
        width, height, mode = _header(source)
        with decoded(source.open(), _LOOK_PX) as (image, profile):
            if mode == "":
                width, height, mode = image.width // 2, image.height // 2, "SVG"
            elif (image.width < image.height) != (width < height):
                width, height = height, width  # EXIF turns it
            small = image
            if min(image.size) > 2 * _LOOK_PX:
                small = image.reduce(min(image.size) // _LOOK_PX)
            if look is not None:
                look(small, profile)
            has_alpha = small.mode in ("LA", "RGBA")
            return Inspected(
                width, height, mode, _has_colour(small, profile), has_alpha, bool(profile)
            )
    except DAMAGE as error:
        return Inspected(fault=reason_of(error))


def inspect_all(
    sources: Sequence[Source],
    progress: Callable[[int, int], None] | None = None,
    look: Callable[[int, Image.Image, bytes], None] | None = None,
) -> list[Inspected]:
    """`inspect` of each, by several threads; `look` also gets the picture's number."""

    def inspect_one(number: int) -> Inspected:
        return inspect(sources[number], partial(look, number) if look is not None else None)

    num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    found = []
    with ThreadPoolExecutor(num_threads) as threads:
        for number, each in enumerate(threads.map(inspect_one, range(len(sources))), start=1):
            found.append(each)
            if progress is not None:
                progress(number, len(sources))
    return found


def inspect_some(sources: Sequence[Source], num: int = 500) -> list[Inspected]:
    """`inspect` of some `num`, spread evenly over the set."""
    return inspect_all(sources[every_few(sources, num)])


def readable_looks(folder: Path, sources: Sequence[Source]) -> list[Inspected]:
    """`inspect_some` of a folder's pictures, but for those that cannot be read.

    Errors: UserError if none of them can.
    """
    looks = inspect_some(sources)
    readable = [look for look in looks if not look.fault]
    if not readable:
        raise UserError(
            str(folder),
            f"none of its pictures can be read (of the first: {looks[0].fault})",
            f"Run imagespace pictures check {shlex.quote(str(folder))}",
        )
    return readable


def every_few(items: Sequence[object], num: int = 500) -> slice:
    """Which of them `inspect_some` looks at."""
    return slice(None, None, max(1, len(items) // num))


def _header(source: Source) -> tuple[int, int, str]:
    """Width, height and mode as the file gives them; (0, 0, "") of a drawing."""
    try:
        with Image.open(source.open(), formats=FORMATS) as image:
            return image.width, image.height, image.mode
    except UnidentifiedImageError:
        return 0, 0, ""


def _has_colour(image: Image.Image, profile: bytes) -> bool:
    """Whether any visible pixel's channels are apart by more than compression explains."""
    if image.mode in ("L", "LA"):
        return False
    alpha = np.asarray(image.getchannel("A")) if image.mode == "RGBA" else np.array(255)
    plain = image.convert("RGB") if image.mode == "RGBA" else image
    levels = np.asarray(to_srgb(plain, profile), dtype=np.int16)
    spread = levels.max(axis=2) - levels.min(axis=2)
    return bool(((spread * (alpha / 255.0)) > _LEAST_COLOUR).any())
