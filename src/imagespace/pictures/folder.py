"""Read pictures with their captions, as people keep them, into one packed array."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagespace.pictures.decoding import WHITE, Rendering
from imagespace.pictures.file_walk import Unused
from imagespace.pictures.layouts.found import counted
from imagespace.pictures.layouts.recognise import find_pictures
from imagespace.pictures.packing import fingerprint, packed_pixels
from imagespace.pictures.source import Source


@dataclass(frozen=True)
class PictureSet:
    """Captioned pictures; row i of every field is the same picture.

    `pixels` is uint8 [N, H, W, C], memory-mapped and read-only; `alternatives[i]` are further
    captions; `key` is a fingerprint of pixels, captions and splits; `notes` are one-line remarks
    for the user; `unused` lists every file and row that is not used, with the reason;
    `recognised` says in one line what the folder is taken for, and why; `sources` are where the
    pictures lie as they are, and [] of a set that was read from no folder.
    """

    pixels: NDArray[np.uint8]
    captions: list[str]
    alternatives: list[list[str]]
    splits: NDArray[np.str_]
    metadata: list[dict[str, Any]]
    key: str
    notes: list[str]
    unused: list[Unused] = field(default_factory=list)
    recognised: str = ""
    sources: list[Source] = field(default_factory=list)

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
    fit: str = "pad",
    background: tuple[int, int, int] = WHITE,
) -> PictureSet:
    """Read `path` as square pictures of `image_size_px` with 1 (grey) or 3 (RGB) channels.

    `path` is a folder in any layout that docs/folders.md names, a .tar or a table; `fit` and
    `background` are those of `decoding.Rendering`. UserError: it cannot be understood, nothing
    in it can be used, or settings that are impossible.
    """
    rendering = Rendering(image_size_px, num_channels, fit, background)
    found = find_pictures(path)
    names = [row["file_name"] for row in found.rows]
    folder = path if path.is_dir() else path.parent
    packed = packed_pixels(folder, names, found.sources, rendering, progress)
    broken = [Unused(names[number], reason) for number, reason in sorted(packed.faults.items())]
    used = [number for number in range(len(found.rows)) if number not in packed.faults]
    rows = [found.rows[number] for number in used]
    captions = [row["text"] for row in rows]
    alternatives = [row["also"] for row in rows]
    splits = [row["split"] for row in rows]
    key = fingerprint([packed.digest, captions, alternatives, splits])
    unused = found.unused + broken
    return PictureSet(
        packed.pixels,
        captions,
        alternatives,
        np.array(splits),
        rows,
        key,
        found.notes + left_out_notes(unused, path),
        unused,
        found.recognised,
        [found.sources[number] for number in used],
    )


def left_out_notes(unused: list[Unused], path: Path) -> list[str]:
    """A remark on the files and rows that one might miss."""
    num = sum(not each.beside for each in unused)
    if not num:
        return []
    them = "it" if num == 1 else "them"
    files = counted(num, "file", "files")
    return [f"{files} left out: imagespace pictures check {shlex.quote(str(path))} lists {them}"]
