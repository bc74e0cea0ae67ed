"""Figures that can be read on their own: axes with units, one caption, one look."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

BLUE, ORANGE, GREEN, GREY = "#1e5aa0", "#d9730d", "#2d8659", "#8a8a8a"
COLOURS = (BLUE, ORANGE, GREEN, "#a0367a", GREY)


def new_figure(caption: str, num_panels: int = 1, panel_px: int = 420) -> tuple[Figure, list[Axes]]:
    """A figure of panels side by side with its caption under them."""
    figure = Figure(figsize=(panel_px * num_panels / 100, panel_px * 0.95 / 100), dpi=100)
    figure.set_layout_engine("constrained")
    axes = [figure.add_subplot(1, num_panels, number + 1) for number in range(num_panels)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    figure.supxlabel(caption, fontsize=9, x=0.5, wrap=True)
    return figure, axes


def show_pictures(
    axis: Axes, pixels: NDArray[np.uint8], num_columns: int, labels: Sequence[str] = ()
) -> None:
    """Pictures uint8 [N, H, W, C] as a grid in one panel; `labels` name its rows."""
    num, height, width, channels = pixels.shape
    num_rows = -(-num // num_columns)
    sheet = np.full((num_rows * height, num_columns * width, channels), 255, np.uint8)
    for index, picture in enumerate(pixels):
        row, column = divmod(index, num_columns)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    axis.imshow(sheet[..., 0] if channels == 1 else sheet, cmap="gray", vmin=0, vmax=255)
    axis.grid(visible=False)
    axis.set_xticks([])
    axis.set_yticks([(row + 0.5) * height for row in range(len(labels))], labels)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
