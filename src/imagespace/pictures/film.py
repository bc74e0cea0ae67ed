"""A film of a walk: at every step, where it stands (x_t) beside what it sees (x0_hat)."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from imagespace.errors import UserError
from imagespace.pictures.contact_sheet import contact_sheet

FILM_SUFFIXES = (".webp", ".gif")
FRAME_MS, LAST_FRAME_MS = 120, 2000


def check_film_name(path: Path) -> None:
    """Errors: UserError unless the suffix is that of an animated format."""
    if path.suffix.lower() not in FILM_SUFFIXES:
        raise UserError(
            f"film {path.name!r}",
            "must be an animated picture",
            f"Name it with {' or '.join(FILM_SUFFIXES)}",
        )


def film_frame(
    where: Sequence[Image.Image], seen: Sequence[Image.Image], title: str
) -> Image.Image:
    """One frame: pairs of pictures, x_t on the left and x0_hat on the right of each."""
    pictures = [picture for pair in zip(where, seen, strict=True) for picture in pair]
    labels = [title if i % 2 == 0 else "what it sees" for i in range(len(pictures))]
    return contact_sheet(pictures, labels, 2 if len(where) < 4 else 4)


def save_film(
    path: Path, frames: Sequence[Image.Image], durations_ms: Sequence[int] | None = None
) -> None:
    """Writes the frames as one animation, each for its time; by default it rests on its last.

    The file is written whole or not at all.
    """
    check_film_name(path)
    durations = list(durations_ms or [FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS])
    options: dict[str, Any] = {"lossless": True} if path.suffix.lower() == ".webp" else {}
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial{path.suffix}")
    options |= {"save_all": True, "append_images": list(frames[1:]), "loop": 0}
    try:
        frames[0].save(partial, duration=durations, **options)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
