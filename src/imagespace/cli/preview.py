"""A live preview of the denoising in a terminal, two pixels a character (half blocks)."""

import sys

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagespace.diffusion.samplers import Step
from imagespace.pipeline import Model, pixels_to_image

UPPER_HALF = "\u2580"


def half_blocks(image: Image.Image, width: int) -> str:
    """The picture as `width` characters a line: foreground is the upper pixel, background below."""
    height = 2 * max(1, round(image.height * width / image.width / 2))
    small: NDArray[np.uint8] = np.asarray(
        image.convert("RGB").resize((width, height), Image.Resampling.BOX)
    )
    lines = []
    for upper, lower in zip(small[0::2], small[1::2], strict=True):
        cells = (
            f"\x1b[38;2;{a[0]};{a[1]};{a[2]}m\x1b[48;2;{b[0]};{b[1]};{b[2]}m{UPPER_HALF}"
            for a, b in zip(upper.tolist(), lower.tolist(), strict=True)
        )
        lines.append("".join(cells) + "\x1b[0m")
    return "\n".join(lines)


class LivePreview:
    """Redraws x_t beside x0_hat of the first picture at each step, where stderr is a terminal."""

    def __init__(self, model: Model, width: int = 32) -> None:
        self.model = model
        self.width = width
        self.shown = sys.stderr.isatty()
        self._lines = 0

    def show(self, step: Step) -> None:
        """Draws one step over the one before."""
        if not self.shown:
            return
        pair = [pixels_to_image(self.model.pixels(x[:1])[0]) for x in (step.x_t, step.x0_hat)]
        left, right = (half_blocks(image, self.width).split("\n") for image in pair)
        lines = [f"{a}  {b}" for a, b in zip(left, right, strict=True)]
        lines.append(f"step {step.index + 1}/{step.num_steps}  noise {step.t:.2f}".ljust(70))
        back = f"\x1b[{self._lines}A" if self._lines else ""
        sys.stderr.write(back + "\n".join(lines) + "\n")
        sys.stderr.flush()
        self._lines = len(lines)
