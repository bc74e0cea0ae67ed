"""Decode pictures and pack them into one memory-mapped array, once."""

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from imagespace.errors import UserError

CACHE_FOLDER = ".imagespace"
_PACKING_VERSION = 1  # raise it when the decoding below changes what it yields
_CHUNK = 256  # pictures decoded before they are written, so that memory stays bounded
# What decoders raise on damaged bytes.
DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, ArithmeticError),
    *(NotImplementedError, struct.error, zlib.error, Image.DecompressionBombError),
)
_NUM_LISTED = 5  # broken files that a message names


def open_picture(file: Path | BinaryIO, image_size_px: int, num_channels: int) -> NDArray[np.uint8]:
    """The first frame, upright, on white, padded to a square: uint8 [H, W, C]."""
    with Image.open(file) as opened:
        image: Image.Image = ImageOps.exif_transpose(opened)
        if image.mode.startswith("I"):
            # Pillow would clip 16-bit values to white: scale 0..65535 to 0..255 instead.
            wide = np.asarray(image, dtype=np.float64)
            image = Image.fromarray(np.clip(np.round(wide / 257), 0, 255).astype(np.uint8))
        elif "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
            # Blending before the resize keeps what alpha hides out of the edges.
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, (255, 255, 255, 255))
            image = Image.alpha_composite(white, image)
        mode = "L" if num_channels == 1 else "RGB"
        image = image.convert(mode)
    scale = image_size_px / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if size != image.size:
        whole = image.width % size[0] == 0 and image.height % size[1] == 0
        # A box over whole pixels cannot ring; elsewhere Lanczos keeps edges.
        image = image.resize(size, Image.Resampling.BOX if whole else Image.Resampling.LANCZOS)
    square = Image.new(mode, (image_size_px, image_size_px), "white")
    square.paste(image, ((image_size_px - size[0]) // 2, (image_size_px - size[1]) // 2))
    return np.asarray(square, dtype=np.uint8).reshape(image_size_px, image_size_px, num_channels)


def packed_pixels(
    path: Path,
    names: list[str],
    shape: tuple[int, int, int],
    progress: Callable[[int, int], None] | None,
) -> tuple[NDArray[np.uint8], str]:
    """The pixels from the cache, which is made if need be, and the digest of their content."""
    missing = [name for name in names if not (path / name).is_file()]
    if missing:
        raise UserError(
            f"{path}, {_some(missing)}",
            "there is no such picture",
            "Put it there or remove its row.",
        )
    stats = [(path / name).stat() for name in names]
    described = [[name, s.st_size, s.st_mtime_ns] for name, s in zip(names, stats, strict=True)]
    key = fingerprint([_PACKING_VERSION, shape, described])
    places = (path / CACHE_FOLDER, Path.home() / ".cache" / "imagespace")
    for place in places:
        packed, digest = place / f"pixels-{key}.npy", place / f"pixels-{key}.digest"
        if packed.is_file() and digest.is_file():
            return np.load(packed, mmap_mode="r"), digest.read_text()
    reason = ""
    for place in places:
        try:
            place.mkdir(parents=True, exist_ok=True)
            _pack(place / f"pixels-{key}", path, names, shape, progress)
        except OSError as error:
            reason = str(error)  # a read-only folder is no fault of the pictures: try the next
            continue
        packed, digest = place / f"pixels-{key}.npy", place / f"pixels-{key}.digest"
        return np.load(packed, mmap_mode="r"), digest.read_text()
    raise UserError(
        str(places[0]),
        f"the packed pictures cannot be written ({reason})",
        f"Free some disk space, or make it or {places[1]} writable.",
    )


def _pack(
    stem: Path,
    path: Path,
    names: list[str],
    shape: tuple[int, int, int],
    progress: Callable[[int, int], None] | None,
) -> None:
    """Decode all pictures into STEM.npy and the digest of their pixels into STEM.digest.

    Both appear whole or not at all. UserError names the pictures that cannot be decoded.
    """
    broken: list[str] = []

    def decode(name: str) -> NDArray[np.uint8]:
        try:
            return open_picture(path / name, shape[0], shape[2])
        except DAMAGE:
            broken.append(name)
            return np.zeros(shape, np.uint8)

    digest = hashlib.blake2b(digest_size=16)
    partial = stem.with_name(f".{stem.name}-{os.getpid()}.partial")
    try:
        with partial.open("wb") as file, ThreadPoolExecutor() as threads:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(names), *shape)}
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, len(names), _CHUNK):
                chunk = names[start : start + _CHUNK]
                for pixels in threads.map(decode, chunk):
                    file.write(pixels.tobytes())
                    digest.update(pixels.tobytes())
                if progress is not None:
                    progress(start + len(chunk), len(names))
        if broken:
            raise UserError(
                f"{len(broken)} of {len(names)} pictures in {path}",
                f"they cannot be read: {_some(sorted(broken))}",
                "Move them out of the folder, or save them anew.",
            )
        stem.with_suffix(".digest").write_text(digest.hexdigest())
        partial.replace(stem.with_suffix(".npy"))
    finally:
        partial.unlink(missing_ok=True)


def fingerprint(described: object) -> str:
    return hashlib.blake2b(json.dumps(described).encode(), digest_size=16).hexdigest()


def _some(names: list[str]) -> str:
    """The first few names, and how many more."""
    more = len(names) - _NUM_LISTED
    return ", ".join(names[:_NUM_LISTED]) + (f" and {more} more" if more > 0 else "")
