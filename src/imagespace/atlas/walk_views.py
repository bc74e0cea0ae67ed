"""Walks on a map: their ways, the basins of their noises, and what some of them see.

What is off the map is drawn where its nearest pictures lie, hollow or dotted (off_map_marks.py).
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from PIL import Image

from imagespace.atlas.atlas import Atlas
from imagespace.atlas.canvas import frame, place_picture, say
from imagespace.atlas.frames import Frames
from imagespace.atlas.map_views import (
    COLOURS,
    MOST_NAMES,
    OTHER,
    blank_map,
    draw_cluster_names,
    draw_land,
    frame_map,
    shortened,
)
from imagespace.atlas.off_map_marks import DOT, GAP, draw_dots, draw_paths
from imagespace.atlas.view import View

if TYPE_CHECKING:
    from imagespace.atlas.map_walks import Walks

TIMES = LinearSegmentedColormap.from_list("times", ["#F0A43A", "#D1495B", "#3B1F6B"])
STANDS = "#0072B2"  # where a walk stands: a blue that no time has
FRAME_DPI = 72
TAIL = 3  # steps that a frame of the film leaves behind each dot


def view_walks(atlas: Atlas, walks: "Walks", num_followed: int = 3) -> View:
    """Walks over the density: where x0_hat lies, by time, and what is seen along a few of them.

    Of these few, which end in clusters far from each other, the path of x_t is drawn as well. A
    dotted stretch is off the map: it looks like no real picture there. The film has a frame a step.
    """
    figure = Figure(figsize=(10, 11.6), dpi=100, facecolor="white")
    followed = _far_apart(walks.positions[: len(walks.seen), -1], num_followed)
    share = 0.085 * max(len(followed), 1)
    axis = figure.add_axes((0.02, share + 0.07, 0.96, 0.885 - share))
    frame_map(axis, atlas)
    draw_land(axis, atlas)
    fraction = np.linspace(0, 1, len(walks.times))
    when: NDArray[np.float64] = TIMES((fraction[:-1] + fraction[1:]) / 2)
    alpha = float(np.clip(30 / len(walks) ** 0.75, 0.12, 0.6))
    paths, off = walks.positions, walks.is_off_map
    draw_paths(axis, paths, off, when, 0.8, "x0_hat", alpha=alpha, zorder=2)
    at_last = paths[:, -1], off[:, -1]
    draw_dots(axis, *at_last, TIMES(1.0), 7, "ends", linewidths=0.6, alpha=0.8, zorder=3)
    stands = walks.x_t_positions[followed], walks.x_t_is_off_map[followed]
    draw_paths(axis, *stands, STANDS, 1.5, "x_t", zorder=4)
    points = stands[0].reshape(-1, 2), stands[1].reshape(-1)
    draw_dots(axis, *points, STANDS, 12, "x_t dots", linewidths=0.9, zorder=4)
    if followed:
        axis.annotate(
            "x_t begins",
            stands[0][0, 0],
            (-9, 0),
            textcoords="offset points",
            fontsize=9,
            ha="right",
            va="center",
            color=STANDS,
            path_effects=[withStroke(linewidth=3, foreground="white")],
            zorder=6,
        )
    for number, index in enumerate(followed):
        way = paths[index : index + 1], off[index : index + 1]
        nowhere = np.zeros_like(way[1])
        draw_paths(axis, way[0], nowhere, "white", 4.4, "halo", capstyle="round", zorder=5)
        draw_paths(axis, *way, when, 2.6, f"x0_hat {number}", zorder=5)
        axis.text(
            float(paths[index, -1, 0]),
            float(paths[index, -1, 1]),
            "ABCDEFGH"[number % 8],
            fontsize=12,
            fontweight="bold",
            zorder=7,
            ha="center",
            va="center",
            color="white",
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": TIMES(1.0), "edgecolor": "white"},
        )
    draw_cluster_names(axis, atlas, size=8)
    for number, index in enumerate(followed):
        low = 0.065 + share * (1 - (number + 1) / len(followed))
        _film_strip(figure, walks, int(index), "ABCDEFGH"[number % 8], low, 0.078)
    off_at_first = float(walks.is_off_map[:, 0].mean())
    off_at_last = float(walks.is_off_map[:, -1].mean())
    x_t_off, x_t_off_at_last = (float(walks.x_t_is_off_map[:, k].mean()) for k in (0, -1))
    said = (
        f"{len(walks):,} walks of {len(walks.times)} steps: what they see (x0_hat), from the first "
        f"step (orange) to the last (violet); of those with a letter also where they stand (x_t, "
        f"blue). Dotted is off the map, like no real picture, and drawn where its nearest lie: "
        f"x0_hat in {100 * off_at_first:.0f} % of first and {100 * off_at_last:.0f} % of last "
        f"steps, x_t in {100 * x_t_off:.0f} % and {100 * x_t_off_at_last:.0f} %"
    )
    _key(axis)
    axis.set_title("Walks from noise to pictures", loc="left", fontsize=15, fontweight="bold")
    say(figure, said)
    travelled = np.linalg.norm(np.diff(walks.positions, axis=1), axis=2)
    numbers = {
        "walks": len(walks),
        "steps": len(walks.times),
        "off_map_by_step": walks.is_off_map.mean(axis=0).tolist(),
        "x_t_off_map_by_step": walks.x_t_is_off_map.mean(axis=0).tolist(),
        "x_t_off_map_at_start": x_t_off,
        "median_travel_by_step": np.median(travelled, axis=0).tolist(),
        "followed": [walks.prompts[index] for index in followed],
    }

    def moment(step: int) -> Image.Image:
        return frame(_moment_of_walks(atlas, walks, step, when, followed), FRAME_DPI)

    return View(said, figure, numbers, Frames(len(walks.times), moment))


def view_basins(atlas: Atlas, walks: "Walks") -> View:
    """Each noise where it is first answered, coloured by the cluster in which its walk ends.

    Beside it, how often walks end in each cluster and how many real pictures lie there. Hollow is
    off the map, as nearly all first answers are: a grey that looks like no real picture. The film
    has a frame a step: how the colours part.

    These are clusters of the map, and the noises lie where they are answered. `basins_view` draws
    the other basins: a flat slice through noise itself, each point coloured by its walk's end.
    """
    ends = atlas.clusters_at(walks.positions[:, -1])
    num = len(atlas.cluster_names)
    walked = np.bincount(ends, minlength=num) / len(walks)
    real = np.bincount(atlas.cluster_of, minlength=num) / len(atlas)
    common = np.argsort(-walked, kind="stable")[: len(COLOURS)]
    colour_of = {int(cluster): COLOURS[i] for i, cluster in enumerate(common) if walked[cluster]}
    colours = [colour_of.get(int(cluster), OTHER) for cluster in ends]
    figure = Figure(figsize=(14, 8.4), dpi=100, facecolor="white")
    axis = figure.add_axes((0.015, 0.06, 0.56, 0.87))
    frame_map(axis, atlas)
    draw_land(axis, atlas)
    both = walks.positions[:, [0, -1]], walks.is_off_map[:, [0, -1]]
    each = to_rgba_array(colours)
    draw_paths(axis, *both, each[:, None], 0.7, "from first to last", alpha=0.45, zorder=2)
    (first, last), (first_off, last_off) = (each_end.swapaxes(0, 1) for each_end in both)
    draw_dots(axis, first, first_off, each, 15, "first", linewidths=0.9, zorder=3)
    draw_dots(
        axis, last, last_off, each, 10, "last", marker="s", linewidths=0.7, alpha=0.6, zorder=3
    )
    axis.set_title(
        "Where each noise is first answered (dots), by where it ends (squares)",
        loc="left",
        fontsize=12,
        fontweight="bold",
    )
    bars = figure.add_axes((0.77, 0.1, 0.21, 0.81))
    shown = np.argsort(-np.maximum(walked, real), kind="stable")[:MOST_NAMES][::-1]
    height = np.arange(len(shown))
    bars.barh(
        height + 0.2, 100 * walked[shown], 0.38, color=[colour_of.get(int(c), OTHER) for c in shown]
    )
    bars.barh(height - 0.2, 100 * real[shown], 0.38, color="#d3d0c6")
    names = [atlas.cluster_names[c] for c in shown]
    bars.set_yticks(height, [shortened(name, 34) for name in names], fontsize=8)
    bars.set_xlabel("% of walks that end there (colour), of real pictures (grey)", fontsize=8)
    bars.spines[["top", "right"]].set_visible(False)
    distance = 0.5 * float(np.abs(walked - real).sum())
    said = (
        f"{len(walks):,} noises and the clusters in which their walks end: "
        f"{len(set(ends.tolist()))} of {num} clusters are reached; total variation from the real "
        f"pictures' shares {distance:.2f}. Hollow (dotted) is off the map, drawn where the nearest "
        f"pictures lie: {100 * first_off.mean():.0f} % of first answers, "
        f"{100 * last_off.mean():.0f} % of ends"
    )
    say(figure, said)
    numbers = {
        "clusters": atlas.cluster_names,
        "share_of_walks": walked.tolist(),
        "share_of_pictures": real.tolist(),
        "total_variation": distance,
        "off_map_at_first": float(first_off.mean()),
        "off_map_at_last": float(last_off.mean()),
    }

    def moment(step: int) -> Image.Image:
        return frame(_moment_of_basins(atlas, walks, step, each), FRAME_DPI)

    return View(said, figure, numbers, Frames(len(walks.times), moment))


def _moment_of_walks(
    atlas: Atlas, walks: "Walks", step: int, when: NDArray[np.float64], followed: list[int]
) -> Figure:
    """All walks at one step with the ways of their last few, and what those followed see."""
    figure, axis = blank_map(atlas)
    recent = slice(max(0, step - TAIL), step + 1)
    ways = walks.positions[:, recent], walks.is_off_map[:, recent]
    draw_paths(axis, *ways, when[recent][: ways[0].shape[1] - 1], 0.8, "ways", alpha=0.5, zorder=2)
    now = TIMES(step / (len(walks.times) - 1))
    at = walks.positions[:, step], walks.is_off_map[:, step]
    draw_dots(axis, *at, now, 16, "x0_hat", linewidths=0.9, alpha=0.8, zorder=3)
    stands = walks.x_t_positions[followed, step], walks.x_t_is_off_map[followed, step]
    draw_dots(axis, *stands, STANDS, 60, "x_t", linewidths=1.8, zorder=4)
    for index in followed:
        picture = walks.seen[index, step]
        x, y = (float(value) for value in walks.positions[index, step])
        left, right, bottom, top = atlas.density.extent
        away = (_outwards(x, left, right), _outwards(y, bottom, top))
        place_picture(axis, picture.repeat(3 // picture.shape[2], axis=2), (x, y), 46, now, away)
    title = f"step {step + 1} of {len(walks.times)}, t = {walks.times[step]:.2f}"
    axis.set_title(title, loc="left", fontsize=15, fontweight="bold")
    say(
        figure,
        f"{len(walks):,} walks: what they see (x0_hat), "
        f"{100 * walks.is_off_map[:, step].mean():.0f} % off the map (hollow); blue is where those "
        "with a picture stand (x_t). Off the map, a place is that of the nearest pictures",
    )
    return figure


def _outwards(at: float, low: float, high: float) -> float:
    """Which way a picture covers least of the map, in points: outwards, or in from its edge."""
    share = (at - low) / (high - low)
    is_near_edge = min(share, 1 - share) < 0.15
    return 44.0 if (share > 0.5) != is_near_edge else -44.0


def _moment_of_basins(
    atlas: Atlas, walks: "Walks", step: int, colours: NDArray[np.float64]
) -> Figure:
    """All walks at one step, in the colours of the clusters in which they end."""
    figure, axis = blank_map(atlas)
    at = walks.positions[:, step], walks.is_off_map[:, step]
    draw_dots(axis, *at, colours, 26, "x0_hat", linewidths=1.1, alpha=0.85, zorder=3)
    title = f"step {step + 1} of {len(walks.times)}, t = {walks.times[step]:.2f}"
    axis.set_title(title, loc="left", fontsize=15, fontweight="bold")
    say(
        figure,
        f"What {len(walks):,} walks see, by the cluster in which they end; hollow is off the map, "
        "drawn where the nearest pictures lie",
    )
    return figure


def _far_apart(points: NDArray[np.float32], num: int) -> list[int]:
    """Indices of `num` points far from each other: each the farthest from those before it."""
    chosen = [int(np.linalg.norm(points - np.median(points, axis=0), axis=1).argmin())]
    while len(chosen) < min(num, len(points)):
        away = np.min([np.linalg.norm(points - points[i], axis=1) for i in chosen], axis=0)
        chosen.append(int(away.argmax()))
    return chosen[:num]


def _key(axis: Axes) -> None:
    """What the lines are, told in a corner."""
    kinds: list[tuple[Any, float, Any, str]] = [
        (TIMES(0.75), 2.6, "solid", "what it sees, x0_hat"),
        (STANDS, 1.5, "solid", "where it stands, x_t"),
        ("#444444", 1.5, (0, (DOT, GAP)), "dotted: off the map"),
    ]
    lines = [
        Line2D([], [], color=colour, linewidth=width, linestyle=style, label=label)
        for colour, width, style, label in kinds
    ]
    axis.legend(handles=lines, loc="lower right", frameon=False, fontsize=9, handlelength=3)


def _film_strip(
    figure: Figure, walks: "Walks", index: int, letter: str, low: float, height: float
) -> None:
    """What one walk sees, step by step, with its prompt."""
    seen = walks.seen[index]
    steps = np.unique(np.linspace(0, len(seen) - 1, 13).round().astype(int))
    axis = figure.add_axes((0.03, low, 0.94, height))
    axis.axis("off")
    width = 1.0 / len(steps)
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    title = f"{letter}   {shortened(walks.prompts[index] or 'no prompt', 90)}"
    axis.text(0, 0.9, title, fontsize=9, fontweight="bold", va="center")
    for place, step in enumerate(steps):
        image = seen[step]
        box = OffsetImage(
            image[..., 0] if image.shape[2] == 1 else image,
            zoom=45.6 / len(image),
            cmap="gray",
            interpolation="bicubic",
        )
        box.image.set_clim(0, 255)
        frame = AnnotationBbox(
            box,
            ((place + 0.5) * width, 0.38),
            frameon=True,
            pad=0.12,
            bboxprops={
                "edgecolor": TIMES(step / (len(seen) - 1)),
                "linewidth": 2,
                "linestyle": "dotted" if walks.is_off_map[index, step] else "solid",
            },
        )
        axis.add_artist(frame)
