"""The page of points on a line or in the plane: density, field and walks as one HTML file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagespace.atlas.single_file import (
    deflated,
    density_levels,
    quantised,
    write_single_file,
)

SCRIPTS = (
    "data.js",
    "camera.js",
    "layer.js",
    "palette.js",
    "density.js",
    "field.js",
    "point_walks.js",
    "controls.js",
    "viewport.js",
    "points.js",
)
INT16_MAX = 32767

Extent = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class PointSlice:
    """Density [Y, X] and field [Y', X', 2] of one time, row 0 lowest, each over its rectangle.

    An extent (x_min, x_max, y_min, y_max) is that of the outermost points of the grid. In the plane
    the field is x0_hat - x_t at time `t`; on a line, where the page's x is time, it is the slope of
    the flow as a vector of length 1. Arrows are as long as they can be from the length `long` on.
    """

    t: float
    extent: Extent
    density: NDArray[np.float32]
    field_extent: Extent
    field: NDArray[np.float32]
    long: float


@dataclass(frozen=True, eq=False)
class PointPage:
    """What the page shows, in its own coordinates.

    `flow` and `noise` [N, T, 2] are where N walks stand at falling `times` [T], both from the same
    starts (on a line the quantiles of the noise): along the flow (Heun), and by the sampler with
    noise (DDPM). `points` [M, 2] are true ones, of `num_points`. `is_line`: x is time, from 1 at 0
    to 0 at `width`.

    `scores` tells what the page is worth, in the words that a reader sees; `numbers` are plain.
    """

    title: str
    is_line: bool
    width: float
    slices: list[PointSlice]
    times: list[float]
    flow: NDArray[np.float32]
    noise: NDArray[np.float32]
    points: NDArray[np.float32]
    num_points: int
    scores: Mapping[str, str]
    numbers: Mapping[str, Any]


def write_point_page(page: PointPage, path: str | Path) -> Path:
    """Writes the page as one HTML file that asks the network for nothing; returns its path.

    Positions are stored in 16 bits a coordinate of their box, the field in 16 bits of its greatest
    component at each time, density in 8 bits of the root of its share of the highest at each time.
    """
    blocks = {}
    told = []
    for number, one in enumerate(page.slices):
        greatest = float(np.abs(one.field).max()) or 1.0
        told.append(
            {
                "t": one.t,
                "extent": list(one.extent),
                "shape": list(one.density.shape),
                "fieldExtent": list(one.field_extent),
                "fieldShape": list(one.field.shape[:2]),
                "greatest": greatest,
                "long": one.long,
            }
        )
        shares = np.rint(INT16_MAX * one.field / greatest).astype("<i2")
        blocks[f"density-{number}"] = density_levels(one.density)
        blocks[f"field-{number}"] = deflated(shares.tobytes())
    words: dict[str, Any] = {
        "title": page.title,
        "isLine": page.is_line,
        "width": page.width,
        "times": page.times,
        "numPoints": page.num_points,
        "slices": told,
        "scores": [list(pair) for pair in page.scores.items()],
    }
    for name in ("flow", "noise", "points"):
        positions = getattr(page, name).reshape(-1, 2)
        shares16, box = quantised(positions) if len(positions) else (positions, [0.0] * 4)
        words[f"{name}Box"] = box
        blocks[name] = deflated(shares16.tobytes())
    return write_single_file(path, "points.html", SCRIPTS, page.title, words, blocks)
