"""Read a folder of captioned pictures into one packed array, and refuse what cannot be read."""

import hashlib
import json
import os
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from imagespace.errors import UserError
from imagespace.pictures.split import SPLITS, split_of

METADATA_FILE = "metadata.jsonl"
CACHE_FOLDER = ".imagespace"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
_PACKING_VERSION = 1  # raise it when the decoding below changes what it yields
_CHUNK = 256  # pictures decoded before they are written, so that memory stays bounded
# What decoders raise on damaged bytes.
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, ArithmeticError),
    *(NotImplementedError, struct.error, zlib.error, Image.DecompressionBombError),
)
_NUM_LISTED = 5  # broken files that a message names


@dataclass(frozen=True)
class PictureSet:
    """Captioned pictures; row i of every field is the same picture.

    `pixels` is uint8 [N, H, W, C], memory-mapped and read-only; `alternatives[i]` are further
    captions; `key` is a fingerprint of pixels, captions and splits; `notes` are one-line remarks
    for the user on what was left out.
    """

    pixels: NDArray[np.uint8]
    captions: list[str]
    alternatives: list[list[str]]
    splits: NDArray[np.str_]
    metadata: list[dict[str, Any]]
    key: str
    notes: list[str]

    def __len__(self) -> int:
        return len(self.captions)

    def indices(self, split: str) -> NDArray[np.int64]:
        """The rows of one split, in order."""
        return np.flatnonzero(self.splits == split).astype(np.int64)


def read_folder(
    path: Path,
    image_size_px: int,
    num_channels: int,
    progress: Callable[[int, int], None] | None = None,
) -> PictureSet:
    """Read `path` as square pictures of `image_size_px` with 1 (grey) or 3 (RGB) channels.

    Captions come from metadata.jsonl; without it from NAME.txt beside each picture; without any
    of those from the file names. UserError: nothing to read, a malformed row, a broken picture.
    """
    if num_channels not in (1, 3):
        raise UserError(f"{num_channels} channels", "pictures have 1 or 3", "Use 1 or 3.")
    if image_size_px < 1:
        raise UserError(f"image size {image_size_px} px", "it must be positive", "Use 64 or 128.")
    if not path.is_dir():
        raise UserError(
            str(path),
            "there is no such folder",
            "Name a folder of pictures, or build one: imagespace pictures build glyphs --out DIR.",
        )
    found = sorted(_picture_names(path))
    if (path / METADATA_FILE).is_file():
        rows = _rows_of_metadata(path / METADATA_FILE)
        unlisted = len(set(found) - {os.path.normpath(row["file_name"]) for row in rows})
        notes = [f"{unlisted} pictures are not in {METADATA_FILE}: left out"] if unlisted else []
    else:
        rows, notes = _rows_of_names(path, found)
    if not rows:
        raise UserError(
            str(path), "it holds no picture", f"Put pictures there: {' '.join(SUFFIXES)}."
        )
    names = [row["file_name"] for row in rows]
    shape = (image_size_px, image_size_px, num_channels)
    pixels, digest = _packed_pixels(path, names, shape, progress)
    captions = [row["text"] for row in rows]
    alternatives = [row["also"] for row in rows]
    splits = [row["split"] for row in rows]
    key = _fingerprint([digest, captions, alternatives, splits])
    return PictureSet(pixels, captions, alternatives, np.array(splits), rows, key, notes)


def open_picture(file: Path, image_size_px: int, num_channels: int) -> NDArray[np.uint8]:
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


def _picture_names(path: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.relpath(os.path.join(folder, name), path)


def _rows_of_metadata(file: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    line_of: dict[str, int] = {}
    for number, line in enumerate(_read_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            fault = _fault(row)
        except ValueError as error:
            fault = f"it is no JSON ({error})"
        if not fault and row["file_name"] in line_of:
            first = line_of[row["file_name"]]
            fault = f'its picture has a row in line {first}; further captions go into "also"'
        if fault:
            raise UserError(f"{file}, line {number}", fault, "Mend the line or remove it.")
        line_of[row["file_name"]] = number
        text = " ".join((row.get("text") or "").split())
        split = row.get("split") or split_of(text or row["file_name"])
        rows.append({**row, "text": text, "also": row.get("also") or [], "split": split})
    return rows


def _fault(row: Any) -> str:
    """What is wrong with one row of metadata, or ""."""
    if not isinstance(row, dict):
        return 'a row is a JSON object such as {"file_name": "a.png", "text": "a cat"}'
    if not isinstance(row.get("file_name"), str) or not row["file_name"]:
        return '"file_name" must be the path of a picture'
    if not isinstance(row.get("text") or "", str):
        return '"text" must be a string'
    also = row.get("also") or []
    if not isinstance(also, list) or not all(isinstance(other, str) for other in also):
        return '"also" must be a list of strings'
    if (row.get("split") or SPLITS[0]) not in SPLITS:
        return f'"split" is {row["split"]!r} and must be one of {", ".join(SPLITS)}'
    return ""


def _rows_of_names(path: Path, names: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows from the text files beside the pictures, or from the file names if there are none."""
    texts = {name: (path / name).with_suffix(".txt") for name in names}
    texts = {name: file for name, file in texts.items() if file.is_file()}
    rows = []
    for name in names:
        if texts:
            caption = " ".join(_read_text(texts[name]).split()) if name in texts else ""
        else:
            # "red-fox_012" says "red fox": a number at the end counts, it does not describe.
            words = re.sub(r"[\s_-]+", " ", Path(name).stem).strip()
            caption = re.sub(r" \(?\d+\)?$", "", words)
        split = split_of(caption or name)
        rows.append({"file_name": name, "text": caption, "also": [], "split": split})
    without = len(names) - len(texts)
    notes = [f"{without} pictures have no .txt: no caption"] if texts and without else []
    return rows, notes


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(str(file), "it is not UTF-8 text", "Save it as UTF-8.") from error


def _packed_pixels(
    path: Path,
    names: list[str],
    shape: tuple[int, int, int],
    progress: Callable[[int, int], None] | None,
) -> tuple[NDArray[np.uint8], str]:
    """The pixels from the cache, which is made if need be, and the digest of their content."""
    missing = [name for name in names if not (path / name).is_file()]
    if missing:
        raise UserError(
            f"{path / METADATA_FILE}, {_some(missing)}",
            "there is no such picture",
            "Put it there or remove its row.",
        )
    stats = [(path / name).stat() for name in names]
    described = [[name, s.st_size, s.st_mtime_ns] for name, s in zip(names, stats, strict=True)]
    key = _fingerprint([_PACKING_VERSION, shape, described])
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
        except _DAMAGE:
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


def _fingerprint(described: object) -> str:
    return hashlib.blake2b(json.dumps(described).encode(), digest_size=16).hexdigest()


def _some(names: list[str]) -> str:
    """The first few names, and how many more."""
    more = len(names) - _NUM_LISTED
    return ", ".join(names[:_NUM_LISTED]) + (f" and {more} more" if more > 0 else "")
