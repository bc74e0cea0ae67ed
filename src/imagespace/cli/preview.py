"""A live preview of the denoising in a terminal, two pixels a character (half blocks)."""

import os
import sys
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagespace.diffusion.samplers import Step
from imagespace.pipeline import Model, pixels_to_image

UPPER_HALF = "\u2580"
# Characters that each of the two pictures is wide; below the least nothing can be made out.
LARGEST_WIDTH, LEAST_WIDTH = 32, 8
USUAL_TERMINAL = (80, 24)
# xterm's 256 colours: a cube of six levels a channel from 16 on, then 24 greys.
CUBE_LEVELS = (0, 95, 135, 175, 215, 255)

Colour = Callable[[list[int]], str]


def true_colour(pixel: list[int]) -> str:
    """The end of an escape sequence that names a colour (R, G, B) exactly."""
    return f"2;{pixel[0]};{pixel[1]};{pixel[2]}"


def palette_colour(pixel: list[int]) -> str:
    """The same by number, of xterm's 256: the nearest grey of a grey, the nearest of the cube."""
    if max(pixel) - min(pixel) < 8:
        level = sum(pixel) / 3
        if level < 4 or level > 246:  # the ramp is of 8 to 238: black and white are of the cube
            return "5;16" if level < 4 else "5;231"
        return f"5;{232 + min(23, max(0, round((level - 8) / 10)))}"
    levels = np.abs(np.subtract.outer(pixel, CUBE_LEVELS)).argmin(1)
    return f"5;{16 + int(levels @ (36, 6, 1))}"


def terminal_colour(environment: Mapping[str, str]) -> Colour | None:
    """How a terminal is told colours, by what it says of itself; None if it shows none."""
    term = environment.get("TERM", "")
    if term == "dumb":
        return None
    if environment.get("COLORTERM") in ("truecolor", "24bit") or "WT_SESSION" in environment:
        return true_colour
    return None if term in ("", "unknown") or term.startswith("vt") else palette_colour


def picture_width(columns: int, lines: int) -> int:
    """Characters of each of two square pictures side by side that fit; 0 if none that can be read.

    Two spaces lie between them, a line of text and the cursor below. The last column stays free:
    some terminals begin a new line behind it.
    """
    width = min(LARGEST_WIDTH, (columns - 3) // 2, 2 * (lines - 2))
    return width if width >= LEAST_WIDTH else 0


def half_blocks(image: Image.Image, width: int, colour: Colour = true_colour) -> str:
    """The picture as `width` characters a line: foreground is the upper pixel, background below."""
    height = 2 * max(1, round(image.height * width / image.width / 2))
    small: NDArray[np.uint8] = np.asarray(
        image.convert("RGB").resize((width, height), Image.Resampling.BOX)
    )
    lines = []
    for upper, lower in zip(small[0::2], small[1::2], strict=True):
        cells = (
            f"\x1b[38;{colour(a)}m\x1b[48;{colour(b)}m{UPPER_HALF}"
            for a, b in zip(upper.tolist(), lower.tolist(), strict=True)
        )
        lines.append("".join(cells) + "\x1b[0m")
    return "\n".join(lines)


class LivePreview:
    """Redraws x_t beside x0_hat of one picture of the batch, where stderr is a terminal for it."""

    def __init__(self, model: Model, row: int = 0) -> None:
        self.model = model
        self.row = row
        self.width, self.columns, self.colour = 0, 0, terminal_colour(os.environ)
        if sys.stderr.isatty() and self.colour and "utf" in sys.stderr.encoding.lower():
            self.columns, lines = _size_of(sys.stderr.fileno())
            self.width = picture_width(self.columns, lines)
        self._lines = 0

    def show(self, step: Step, note: str = "") -> None:
        """Draws one step over the one before, with a note behind its number."""
        if not self.width or self.colour is None:
            return
        row = slice(self.row, self.row + 1)
        left, right = (
            half_blocks(
                pixels_to_image(self.model.pixels(x[row])[0]), self.width, self.colour
            ).split("\n")
            for x in (step.x_t, step.x0_hat)
        )
        lines = [f"{a}  {b}" for a, b in zip(left, right, strict=True)]
        said = f"step {step.index + 1}/{step.num_steps}  noise {step.t:.2f}  {note}"
        lines.append(said[: self.columns - 1] + "\x1b[K")  # and nothing of a longer one before
        back = f"\x1b[{self._lines}A" if self._lines else ""
        sys.stderr.write(back + "\n".join(lines) + "\n")
        sys.stderr.flush()
        self._lines = len(lines)


def _size_of(file_number: int) -> tuple[int, int]:
    """Columns and lines of a terminal; the usual ones of one that does not know its own."""
    try:
        columns, lines = os.get_terminal_size(file_number)
    except OSError:
        columns, lines = 0, 0
    return columns or USUAL_TERMINAL[0], lines or USUAL_TERMINAL[1]
