"""The look of the views: colours that everyone can tell apart, the sentence under a figure."""

import io
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from torch import Tensor

# Okabe and Ito 2008, "Color Universal Design": told apart with any colour vision.
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
INK, REST = "#222222", "#c8c8c8"
FRAME_DPI = 100


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` inches whose parts make room for each other."""
    figure = Figure(figsize=(width, height))
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.08)
    return figure


def side_by_side(figure: Figure, widths: Sequence[float]) -> tuple[SubFigure, SubFigure]:
    """The left and the right part of a figure, with widths in this ratio."""
    grid = figure.add_gridspec(1, 2, width_ratios=widths)
    return figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])


def say(figure: Figure, sentence: str) -> None:
    """Writes the one sentence along the lower edge: where parts make room, they make it for it."""
    width = int(figure.get_figwidth() * 13)
    figure.supxlabel(textwrap.fill(sentence, width), fontsize=9.5, color=INK)


def bare(axis: Axes) -> None:
    """Takes the ticks and the box from an axis whose numbers say nothing."""
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)


def open_sides(axis: Axes) -> None:
    """Leaves an axis its left and lower line."""
    axis.spines[["top", "right"]].set_visible(False)


def shown(x: "Tensor") -> NDArray[np.uint8]:
    """One picture [C, H, W] as matplotlib shows it: uint8 [H, W, 3]."""
    # A kept map is drawn without torch, whose import takes seconds.
    from imagespace.pipeline import to_pixels

    pixels = to_pixels(x[None])[0]
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels[:, :, :1], 3, axis=2)


def show_picture(axis: Axes, pixels: Any, title: str = "") -> None:
    """A picture as a panel of its own."""
    axis.imshow(pixels, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_color("#bbbbbb")
    if title:
        axis.set_title(title, fontsize=8.5, color=INK)


def place_picture(
    axis: Axes,
    pixels: Any,
    place: tuple[float, float],
    size: float,
    colour: str | tuple[float, float, float, float] = INK,
    offset: tuple[float, float] = (0.0, 0.0),
) -> None:
    """A picture `size` points wide at a place of the data, moved by `offset` points."""
    image = OffsetImage(pixels, zoom=size / pixels.shape[1], interpolation="antialiased")
    box = AnnotationBbox(
        image,
        place,
        xybox=offset,
        boxcoords="offset points",
        pad=0.12,
        bboxprops={"edgecolor": colour, "linewidth": 1.8},
        arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 1.2} if any(offset) else None,
    )
    box.set_zorder(5)
    axis.add_artist(box)


def frame(figure: Figure, dpi: int = FRAME_DPI) -> Image.Image:
    """A figure as one frame of a film, RGB."""
    buffer = io.BytesIO()
    with rc_context({"savefig.bbox": None}):
        figure.savefig(buffer, format="png", dpi=dpi)
    buffer.seek(0)
    with Image.open(buffer) as image:
        return image.convert("RGB")
