"""Decode pictures and pack them into one memory-mapped array, once; a stopped build goes on."""

import hashlib
import io
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from imagespace.errors import UserError
from imagespace.pictures.decoding import DAMAGE, Rendering, reason_of, render
from imagespace.pictures.file_walk import CACHE_FOLDER
from imagespace.pictures.source import Source
from imagespace.pictures.svg import can_render_svg

_PACKING_VERSION = 2  # raise it when the decoding changes what it yields
# Pictures decoded before they are written, so that memory stays bounded, and what is lost when a
# build is killed.
_MAX_CHUNK, _MAX_CHUNK_BYTES = 1024, 64_000_000
_READ_BYTES = 16_000_000


@dataclass(frozen=True)
class Packed:
    """Pixels uint8 [M, H, W, C] of those pictures that can be read, in order.

    `digest` is a fingerprint of their bytes; `faults` says for each other number why it cannot.
    """

    pixels: NDArray[np.uint8]
    digest: str
    faults: dict[int, str]


def packed_pixels(
    folder: Path,
    names: Sequence[str],
    sources: Sequence[Source],
    rendering: Rendering,
    progress: Callable[[int, int], None] | None = None,
) -> Packed:
    """The pixels from the cache of `folder`, which is made, or made complete, if need be.

    UserError: there is no place to write them, or none of the pictures can be read.
    """
    key = _cache_key(names, sources, rendering)
    places = (folder / CACHE_FOLDER, Path.home() / ".cache" / "imagespace")
    for place in places:
        if _is_built(place / f"pixels-{key}"):
            return _load(place / f"pixels-{key}")
    reason = ""
    for place in places:
        try:
            place.mkdir(parents=True, exist_ok=True)
            _build(place, key, sources, rendering, progress)
        except OSError as error:
            reason = str(error)  # a read-only folder is no fault of the pictures: try the next
            continue
        return _load(place / f"pixels-{key}")
    raise UserError(
        str(places[0]),
        f"the packed pictures cannot be written ({reason})",
        f"Free some disk space, or make it or {places[1]} writable.",
    )


def _cache_key(names: Sequence[str], sources: Sequence[Source], rendering: Rendering) -> str:
    """A fingerprint of the settings and of every picture's place, size and time of change."""
    # Drawings that could not be rendered are tried again once they can be.
    has_svg = can_render_svg() and any(name.lower().endswith(".svg") for name in names)
    key = hashlib.blake2b(json.dumps([_PACKING_VERSION, asdict(rendering), has_svg]).encode())
    for name, source in zip(names, sources, strict=True):
        key.update(json.dumps([name, source.stamp()]).encode())
    return key.hexdigest()[:32]


def _is_built(stem: Path) -> bool:
    return stem.with_suffix(".npy").is_file() and stem.with_suffix(".json").is_file()


def _load(stem: Path) -> Packed:
    about = json.loads(stem.with_suffix(".json").read_text())
    faults = {int(number): reason for number, reason in about["faults"]}
    pixels = np.load(stem.with_suffix(".npy"), mmap_mode="r")
    return Packed(pixels, about["digest"], faults)


def _build(
    place: Path,
    key: str,
    sources: Sequence[Source],
    rendering: Rendering,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Decodes all pictures into pixels-KEY.npy, and what there is to say of them into .json.

    Until then the pixels grow in .pixels-KEY.partial, and .pixels-KEY.chunks has a line for each
    finished chunk: from these a killed build goes on. Both results appear whole or not at all.
    """
    hidden = place / f".pixels-{key}"
    try:
        lock = FileLock(hidden.with_suffix(".lock"), timeout=0)
        with lock, hidden.with_suffix(".chunks").open("a+b") as log:
            if _is_built(place / f"pixels-{key}"):
                return  # by another process, since we looked
            partial = hidden.with_suffix(".partial")
            _append_chunks(partial, log, sources, rendering, progress)
            _finish(partial, log, place / f"pixels-{key}", len(sources), rendering)
            hidden.with_suffix(".chunks").unlink()
        with suppress(OSError):  # on Windows, while another process waits with it
            hidden.with_suffix(".lock").unlink()
    except Timeout:
        # Two builds of one file would spoil it: this one is done privately.
        private = place / f".pixels-{key}-{os.getpid()}"
        try:
            with private.with_suffix(".chunks").open("w+b") as log:
                partial = private.with_suffix(".partial")
                _append_chunks(partial, log, sources, rendering, progress)
                _finish(partial, log, place / f"pixels-{key}", len(sources), rendering)
        finally:
            private.with_suffix(".partial").unlink(missing_ok=True)
            private.with_suffix(".chunks").unlink(missing_ok=True)


def _append_chunks(
    partial: Path,
    log: BinaryIO,
    sources: Sequence[Source],
    rendering: Rendering,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Appends the pixels of all pictures that the log does not count as done."""
    picture_bytes = int(np.prod(rendering.shape))
    header = _header(len(sources), rendering)
    num_done, faults = _read_log(log)
    length = len(header) + (num_done - len(faults)) * picture_bytes
    if not partial.is_file() or partial.stat().st_size < length:
        num_done, length = 0, len(header)
        log.truncate(0)
        partial.write_bytes(header)
    chunk_size = max(16, min(_MAX_CHUNK, _MAX_CHUNK_BYTES // picture_bytes))

    def decode(source: Source) -> NDArray[np.uint8] | str:
        try:
            return render(source.open(), rendering)
        except DAMAGE as error:
            return reason_of(error)

    num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    with partial.open("r+b") as file, ThreadPoolExecutor(num_threads) as threads:
        file.truncate(length)  # what a killed build wrote of its last chunk
        file.seek(length)
        for start in range(num_done, len(sources), chunk_size):
            chunk = sources[start : start + chunk_size]
            broken: list[tuple[int, str]] = []
            for number, outcome in enumerate(threads.map(decode, chunk), start=start):
                if isinstance(outcome, str):
                    broken.append((number, outcome))
                else:
                    file.write(outcome.tobytes())
            file.flush()
            done = {"done": start + len(chunk), "faults": broken}
            log.write(json.dumps(done).encode() + b"\n")
            log.flush()
            if progress is not None:
                progress(start + len(chunk), len(sources))


def _header(num_pictures: int, rendering: Rendering) -> bytes:
    """What an .npy file begins with; its length does not depend on the number of pictures."""
    file = io.BytesIO()
    shape = (num_pictures, *rendering.shape)
    described = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()


def _read_log(log: BinaryIO) -> tuple[int, dict[int, str]]:
    """How many pictures are done, and the faults among them. A torn last line counts as nothing."""
    log.seek(0)
    num_done, kept = 0, 0
    faults: dict[int, str] = {}
    for line in log:
        try:
            chunk = json.loads(line)
        except ValueError:
            break
        num_done = chunk["done"]
        faults |= dict(chunk["faults"])
        kept += len(line)
    log.truncate(kept)
    log.seek(0, os.SEEK_END)
    return num_done, faults


def _finish(
    partial: Path, log: BinaryIO, stem: Path, num_pictures: int, rendering: Rendering
) -> None:
    """Moves the complete pixels to STEM.npy. UserError, and nothing is kept: all are broken."""
    _, faults = _read_log(log)
    if len(faults) == num_pictures:
        partial.unlink()
        log.truncate(0)
        reasons = "; ".join(dict.fromkeys(faults.values()))
        raise UserError(
            f"all {num_pictures} pictures of {stem.parent.parent}",
            f"none can be read ({reasons[:300]})",
            "Put pictures there.",
        )
    digest = hashlib.blake2b(digest_size=16)
    with partial.open("r+b") as file:
        header = _header(num_pictures - len(faults), rendering)
        file.write(header)
        while block := file.read(_READ_BYTES):
            digest.update(block)
    about = {"digest": digest.hexdigest(), "faults": sorted(faults.items())}
    written = partial.with_suffix(".about")
    written.write_text(json.dumps(about))
    written.replace(stem.with_suffix(".json"))
    partial.replace(stem.with_suffix(".npy"))


def fingerprint(described: object) -> str:
    """32 hexadecimal digits that two descriptions share only if they are equal."""
    return hashlib.blake2b(json.dumps(described).encode(), digest_size=16).hexdigest()
