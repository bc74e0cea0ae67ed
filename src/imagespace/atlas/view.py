"""A view: one picture of the space, with the numbers that it shows and, if it moves, its film."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from imagespace.atlas.atlas import write_whole
from imagespace.errors import UserError
from imagespace.pictures.film import FILM_SUFFIXES, save_film

FIGURE_SUFFIXES = (".png", ".svg", ".pdf")
DPI = 150


@dataclass(frozen=True)
class View:
    """A figure, what it shows in one sentence, its numbers, and the frames of its film.

    Notebooks show the figure and the sentence. `numbers` are plain JSON values: what a reader
    would otherwise have to read off the picture.
    """

    title: str
    figure: Figure
    numbers: Mapping[str, Any]
    frames: Sequence[Image.Image] = ()

    def save(self, path: str | Path) -> Path:
        """Writes the figure (.png, .svg, .pdf) or the film (.webp, .gif), whole or not at all.

        Errors: UserError for another suffix, or for a film of a view that does not move.
        """
        path = Path(path)
        check_view_name(path)
        suffix = path.suffix.lower()
        if suffix in FILM_SUFFIXES:
            if not self.frames:
                rule = f"this view does not move: {self.title}"
                raise UserError(path.name, rule, f"Name it with {' or '.join(FIGURE_SUFFIXES)}")
            save_film(path, list(self.frames))
        else:
            # Without a date and with ids that are not random, the same view is the same file.
            metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix)
            buffer = io.BytesIO()
            with rc_context({"svg.hashsalt": "imagespace"}):
                self.figure.savefig(buffer, format=suffix[1:], dpi=DPI, metadata=metadata)
            write_whole(path, buffer.getvalue())
        return path

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=DPI)
        return buffer.getvalue()

    def _repr_html_(self) -> str:
        data = base64.b64encode(self._repr_png_()).decode()
        return (
            f'<figure><img alt="{escape(self.title)}" style="max-width: 100%" '
            f'src="data:image/png;base64,{data}"><figcaption>{escape(self.title)}</figcaption>'
            "</figure>"
        )


def check_view_name(path: Path, also: tuple[str, ...] = ()) -> None:
    """UserError unless a file of this name can hold a figure or a film, or is named as `also`."""
    suffixes = FIGURE_SUFFIXES + FILM_SUFFIXES + also
    if path.suffix.lower() not in suffixes:
        what = "must be a figure or a film" + (" or a page" if also else "")
        raise UserError(str(path), what, f"Name it with {', '.join(suffixes)}")
