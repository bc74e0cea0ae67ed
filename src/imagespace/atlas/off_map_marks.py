"""How a map marks what is off it: dots hollow, lines dotted where either of their ends is off.

Whatever is off the map is drawn where its nearest pictures lie (projection.py): the mark says that
its place is a guess. The page follows the same rule (web/walks.js).
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba_array
from numpy.typing import NDArray

DOT, GAP = 1.2, 1.6  # of a dotted line, in widths of it


def are_segments_off(off: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[..., T - 1] of points [..., T] along paths: is the line from each to the next dotted?"""
    either: NDArray[np.bool_] = off[..., :-1] | off[..., 1:]
    return either


def draw_dots(
    axis: Axes,
    positions: NDArray[np.float32],
    off: NDArray[np.bool_],
    colours: Any,
    size: float,
    gid: str,
    alpha: float = 1.0,
    **style: Any,
) -> PathCollection:
    """Dots at positions [N, 2], hollow where they are off the map [N].

    `colours` are one or N; `size` is the area in points squared; `gid` names the drawing in SVG.
    """
    edges: Any = np.broadcast_to(_rgba(colours), (len(positions), 4)) * [1, 1, 1, alpha]
    faces = np.where(off[:, None], 0.0, edges)
    dots = axis.scatter(
        positions[:, 0], positions[:, 1], s=size, facecolors=faces, edgecolors=edges, **style
    )
    dots.set_gid(gid)
    return dots


def draw_paths(
    axis: Axes,
    paths: NDArray[np.float32],
    off: NDArray[np.bool_],
    colours: Any,
    width: float,
    gid: str,
    **style: Any,
) -> LineCollection:
    """Paths [N, T, 2], dotted off the map [N, T]; later steps lie over earlier ones.

    `colours` are one, or broadcast to [N, T - 1, 4]. Dots are counted along the whole path, so that
    they keep their rhythm where steps are shorter than a dot.
    """
    num, steps = paths.shape[0], paths.shape[1] - 1
    segments = np.stack([paths[:, :-1], paths[:, 1:]], axis=2)
    # The window is square whatever the room: where it stands is known once it has been fitted.
    axis.apply_aspect()
    in_points = axis.transData.transform(paths.reshape(-1, 2).astype(np.float64))
    in_points = in_points.reshape(num, steps + 1, 2) * 72 / axis.figure.dpi
    lengths = np.linalg.norm(np.diff(in_points, axis=1), axis=2)
    before = (np.cumsum(lengths, axis=1) - lengths) / width
    dotted = are_segments_off(off)
    kinds: list[Any] = [
        (float(before[walk, step] % (DOT + GAP)), (DOT, GAP)) if dotted[walk, step] else "solid"
        for step in range(steps)
        for walk in range(num)
    ]
    each = np.broadcast_to(_rgba(colours), (num, steps, 4)).swapaxes(0, 1).reshape(-1, 4)
    lines = LineCollection(
        list(segments.swapaxes(0, 1).reshape(-1, 2, 2)),
        colors=each,
        linewidths=width,
        linestyles=kinds,
        **style,
    )
    lines.set_gid(gid)
    axis.add_collection(lines, autolim=False)
    return lines


def _rgba(colours: Any) -> NDArray[np.float64]:
    """One colour [4], or colours as arrays [..., 4] that are given as such."""
    if isinstance(colours, np.ndarray):
        return colours
    found: NDArray[np.float64] = to_rgba_array(colours)
    return found[0] if isinstance(colours, str) else found
