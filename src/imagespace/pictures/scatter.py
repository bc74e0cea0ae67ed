"""Points in the plane, or on a line, as a picture."""

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

PANEL_PX, MARGIN_PX, DOT_PX = 320, 24, 1.2
_INK, _PAPER, _DOT = (40, 40, 40), (255, 255, 255), (30, 90, 160)


def scatter(panels: Mapping[str, Tensor]) -> Image.Image:
    """Labelled panels side by side on one scale: points [N, D], of which two dimensions show.

    Points on a line (D = 1) are spread upwards by their rank, so that a step in the curve is a
    place where many of them lie.
    """
    planes = {name: _in_the_plane(points) for name, points in panels.items()}
    extent = max(float(np.abs(plane[:, 0]).max()) for plane in planes.values()) or 1.0
    width = MARGIN_PX + len(planes) * (PANEL_PX + MARGIN_PX)
    sheet = Image.new("RGB", (width, PANEL_PX + 2 * MARGIN_PX), _PAPER)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=13)
    for number, (name, plane) in enumerate(planes.items()):
        left = MARGIN_PX + number * (PANEL_PX + MARGIN_PX)
        pen.rectangle((left, MARGIN_PX, left + PANEL_PX, MARGIN_PX + PANEL_PX), outline=_INK)
        label = f"{name}: {len(plane):,} points, {-extent:.2g} to {extent:.2g}"
        pen.text((left, 4), label, fill=_INK, font=font)
        tall = 1.0 if panels[name].shape[1] == 1 else extent
        scale = np.array([extent, tall]) * 1.05
        places = (plane / scale * [1, -1] + 1) / 2 * PANEL_PX + [left, MARGIN_PX]
        for x, y in places.tolist():
            if left <= x <= left + PANEL_PX and MARGIN_PX <= y <= MARGIN_PX + PANEL_PX:
                pen.ellipse((x - DOT_PX, y - DOT_PX, x + DOT_PX, y + DOT_PX), fill=_DOT)
    return sheet


def _in_the_plane(points: Tensor) -> np.ndarray:
    values = points.detach().double().numpy()
    if values.shape[1] > 1:
        return values[:, :2]
    ordered = np.sort(values[:, 0])
    return np.stack([ordered, np.linspace(-1, 1, len(ordered))], axis=1)
