"""Latents of pictures, computed once and kept beside the packed pixels; a stopped build goes on."""

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from imagespace.errors import UserError
from imagespace.pictures.file_walk import CACHE_FOLDER
from imagespace.pictures.folder import PictureSet
from imagespace.pictures.packing import fingerprint
from imagespace.pictures.split import TRAIN, VALIDATION

_VERSION = 1  # raise it when the same autoencoder would yield other latents
# Of pictures that are encoded at once: bounds the memory, and what is lost when a build is killed.
_CHUNK_PIXELS = 2**21


EncodeRows = Callable[[NDArray[np.int64]], torch.Tensor]
"""Latents [n, Z, H, W] of n numbered pictures."""


def latents_key(
    pictures: PictureSet,
    autoencoder_sha256: str,
    look: int = 0,
    about: dict[str, Any] | None = None,
) -> str:
    """Names the latents of a set's pictures; look 0 is each as it is, others as `about` changes."""
    return fingerprint([_VERSION, pictures.key, autoencoder_sha256, look, about])


def latent_rows(pictures: PictureSet) -> NDArray[np.int64]:
    """The rows whose latents are kept, in the order of the file: splits train and validation."""
    rows = [pictures.indices(TRAIN), pictures.indices(VALIDATION)]
    chosen: NDArray[np.int64] = np.sort(np.concatenate(rows))
    return chosen


def kept_latents(folder: Path, key: str, shape: tuple[int, ...]) -> NDArray[np.float16] | None:
    """The latents of this key, memory-mapped and read-only, if they were computed before.

    `shape` is [N, Z, H, W]; a damaged file counts as none.
    """
    for place in _places(folder):
        latents = _opened(place / f"latents-{key}.npy", shape)
        if latents is not None:
            return latents
    return None


def cached_latents(
    folder: Path,
    key: str,
    rows: NDArray[np.int64],
    shape: tuple[int, int, int],
    picture_pixels: int,
    encode: EncodeRows,
    report: Callable[[int], None] | None = None,
) -> NDArray[np.float16]:
    """Latents float16 [N, Z, H, W] of the pictures `rows`, memory-mapped and read-only.

    `key` names all that they depend on; `report(number of pictures done)`. A damaged file is built
    anew. UserError: there is no place to write them.
    """
    whole = (len(rows), *shape)
    kept = kept_latents(folder, key, whole)
    if kept is not None:
        return kept
    places = _places(folder)
    reason = ""
    for place in places:
        file = place / f"latents-{key}.npy"
        try:
            place.mkdir(parents=True, exist_ok=True)
            return _built(file, rows, shape, picture_pixels, encode, report)
        except OSError as error:
            reason = str(error)  # a read-only folder is no fault of the pictures: try the next
    raise UserError(
        str(places[0]),
        f"the latents cannot be written ({reason})",
        f"Free some disk space, or make it or {places[1]} writable",
    )


def _places(folder: Path) -> Sequence[Path]:
    return (folder / CACHE_FOLDER, Path.home() / ".cache" / "imagespace")


def _opened(file: Path, shape: tuple[int, ...]) -> NDArray[np.float16] | None:
    """The latents in a file; None if there is none, or it is not whole."""
    try:
        latents: NDArray[np.float16] = np.load(file, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return latents if latents.shape == shape and latents.dtype == np.float16 else None


def _built(
    file: Path,
    rows: NDArray[np.int64],
    shape: tuple[int, int, int],
    picture_pixels: int,
    encode: EncodeRows,
    report: Callable[[int], None] | None,
) -> NDArray[np.float16]:
    """Encodes the pictures into `file`, which appears whole or not at all.

    Until then latents fill .NAME.partial, and .NAME.done has a line with the number of finished
    ones after each chunk. A second process that builds the same file waits for the first.
    """
    partial = file.with_name(f".{file.stem}.partial")
    counter = file.with_name(f".{file.stem}.done")
    whole = (len(rows), *shape)
    lock = file.with_name(f".{file.stem}.lock")
    with FileLock(lock), counter.open("a+b") as log:
        by_another = _opened(file, whole)
        if by_another is not None:
            counter.unlink(missing_ok=True)
            return by_another
        num_done = _num_done(counter) if _opened(partial, whole) is not None else 0
        if not num_done:
            log.truncate(0)
            np.lib.format.open_memmap(partial, "w+", np.float16, whole)
            _reserve(partial)
        latents = np.lib.format.open_memmap(partial, "r+")
        chunk_size = max(1, _CHUNK_PIXELS // picture_pixels)
        for start in range(num_done, len(rows), chunk_size):
            chunk = rows[start : start + chunk_size]
            with torch.inference_mode():
                latents[start : start + len(chunk)] = encode(chunk).half().numpy()
            latents.flush()
            log.write(f"{start + len(chunk)}\n".encode())
            log.flush()
            if report is not None:
                report(start + len(chunk))
        del latents
        partial.replace(file)
        counter.unlink()
    with suppress(OSError):  # on Windows, while another process waits with it
        lock.unlink()
    finished = _opened(file, whole)
    assert finished is not None
    return finished


def _reserve(partial: Path) -> None:
    """Takes the disk space now: a full disk under a memory map would kill the process later."""
    if not hasattr(os, "posix_fallocate"):
        return
    with partial.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, partial.stat().st_size)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):  # not every file system can
                return
            partial.unlink()
            raise


def _num_done(log: Path) -> int:
    """The last whole line of a log; a torn or foreign one counts as nothing."""
    lines = log.read_bytes().split(b"\n")[:-1]
    return int(lines[-1]) if lines and lines[-1].isdigit() else 0
