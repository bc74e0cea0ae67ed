"""What an atlas shows: the map, walks on it, and the basins of noises."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from imagespace.atlas.atlas import Atlas, check_label
from imagespace.atlas.canvas import OKABE_ITO, say
from imagespace.atlas.map_scores import SIDES
from imagespace.atlas.view import View

if TYPE_CHECKING:
    from imagespace.atlas.map_walks import Walks

# Without the yellow, which white paper swallows; blue and vermilion, the farthest apart, first.
COLOURS = tuple(OKABE_ITO[number] for number in (0, 5, 2, 3, 1, 4))
OTHER = "#8a8a8a"
MOST_NAMES = 20
LAND = LinearSegmentedColormap.from_list("land", ["#ffffff", "#eceae4", "#d3d0c6"])
TIMES = LinearSegmentedColormap.from_list("times", ["#F0A43A", "#D1495B", "#3B1F6B"])
THUMBNAIL_SPACING = 40  # thumbnails a side of the map, at most


def view_map(atlas: Atlas, colour_by: str | None = None) -> View:
    """Density, clusters with their names, and real pictures where they lie.

    Colours are those of a label column, by default the one with the fewest kinds; without labels,
    of the clusters. UserError: the pictures carry no such label.
    """
    figure, axis = blank_map(atlas)
    column, kinds, name = _kinds(atlas, colour_by)
    colour_of = dict(zip(kinds, COLOURS, strict=False))
    colours = np.array([to_rgb(colour_of.get(kind, OTHER)) for kind in column])
    axis.scatter(
        atlas.positions[:, 0],
        atlas.positions[:, 1],
        s=1.2,
        c=colours,
        alpha=0.35,
        linewidths=0,
        rasterized=True,
    )
    _thumbnails(axis, atlas, colours)
    _cluster_names(axis, atlas, known=column)
    counts = Counter(column)
    handles = [_dot(axis, colour, kind) for kind, colour in colour_of.items()]
    if others := sum(counts[kind] for kind in counts if kind not in colour_of):
        handles.append(_dot(axis, OTHER, f"other ({others:,})"))
    if len(handles) > 1:
        axis.legend(handles=handles, loc="upper right", frameon=False, fontsize=9, title=name)
    scores = atlas.scores
    # Glyphs' structure is scored between its two great kinds alone (map_scores.py).
    scored = " or ".join(SIDES) if set(SIDES) <= set(column) else name
    purity = scores["purity"].get(scored)
    by = " by their latents" if atlas.about["space"] == "latent" else ""
    said = f"{len(atlas):,} real pictures{by}; neighbours on the map are neighbours in the space: "
    said += f"trustworthiness {scores['trustworthiness']:.3f}"
    if purity:
        said += (
            f"; {100 * purity['map']:.1f} % of a picture's neighbours share its "
            f"{name if scored == name else f'{name}, {scored}'} "
            f"({100 * purity['majority']:.1f} % if all were the commonest)"
        )
    axis.set_title("A map of the real pictures", loc="left", fontsize=15, fontweight="bold")
    say(figure, said)
    sizes = np.bincount(atlas.cluster_of, minlength=len(atlas.cluster_names))
    numbers = {
        "pictures": len(atlas),
        "clusters": [
            {"name": cluster, "pictures": int(size), "centre": centre.tolist()}
            for cluster, size, centre in zip(
                atlas.cluster_names, sizes, atlas.cluster_centres, strict=True
            )
        ],
        "scores": scores,
    }
    return View(said, figure, numbers)


def view_walks(atlas: Atlas, walks: "Walks", num_followed: int = 3) -> View:
    """Walks over the density, coloured by time, with what is seen along a few of them.

    A dotted stretch is off the map: x0_hat looks like no real picture there. The walks that are
    followed end in clusters far from each other.
    """
    figure = Figure(figsize=(10, 11.6), dpi=100, facecolor="white")
    followed = _far_apart(walks.positions[: len(walks.seen), -1], num_followed)
    share = 0.085 * max(len(followed), 1)
    axis = figure.add_axes((0.02, share + 0.055, 0.96, 0.9 - share))
    frame_map(axis, atlas)
    draw_land(axis, atlas)
    fraction = np.linspace(0, 1, len(walks.times))
    segments = np.stack([walks.positions[:, :-1], walks.positions[:, 1:]], axis=2)
    num, steps = segments.shape[:2]
    flat = segments.reshape(-1, 2, 2)
    when = np.tile((fraction[:-1] + fraction[1:]) / 2, num)
    order = np.argsort(np.tile(np.arange(steps), num), kind="stable")  # the latest on top
    alpha = float(np.clip(30 / num**0.75, 0.12, 0.6))
    axis.add_collection(
        LineCollection(
            flat[order].tolist(), colors=TIMES(when[order]), linewidths=0.8, alpha=alpha, zorder=2
        )
    )
    ends = walks.positions[:, -1]
    axis.scatter(ends[:, 0], ends[:, 1], s=9, color=TIMES(1.0), linewidths=0, alpha=0.8, zorder=3)
    for number, index in enumerate(followed):
        path = walks.positions[index]
        off = walks.is_off_map[index]
        for j in range(len(path) - 1):
            axis.plot(
                *path[j : j + 2].T,
                color=TIMES((fraction[j] + fraction[j + 1]) / 2),
                linewidth=2.6,
                linestyle=(0, (1.2, 1)) if off[j] else "solid",
                zorder=5,
                path_effects=[withStroke(linewidth=4.4, foreground="white")],
            )
        axis.text(
            float(path[-1, 0]),
            float(path[-1, 1]),
            "ABCDEFGH"[number % 8],
            fontsize=12,
            fontweight="bold",
            zorder=7,
            ha="center",
            va="center",
            color="white",
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": TIMES(1.0), "edgecolor": "white"},
        )
    _cluster_names(axis, atlas, known=_kinds(atlas, None)[0], size=8)
    for number, index in enumerate(followed):
        low = 0.05 + share * (1 - (number + 1) / len(followed))
        _film_strip(figure, walks, int(index), "ABCDEFGH"[number % 8], low, 0.078)
    off_at_first = float(walks.is_off_map[:, 0].mean())
    off_at_last = float(walks.is_off_map[:, -1].mean())
    x_t_off = float(walks.x_t_is_off_map[:, 0].mean())
    said = (
        f"{len(walks):,} walks of {len(walks.times)} steps: what they see, from the first step "
        f"(orange) to the last (violet). No real picture looks like it in "
        f"{100 * off_at_first:.0f} % of first and {100 * off_at_last:.0f} % of last steps (dotted)"
    )
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
    return View(said, figure, numbers)


def view_basins(atlas: Atlas, walks: "Walks") -> View:
    """Each noise where it is first answered, coloured by the cluster in which its walk ends.

    Beside it, how often walks end in each cluster and how many real pictures lie there.
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
    first, last = walks.positions[:, 0], walks.positions[:, -1]
    lines = np.stack([first, last], axis=1)
    axis.add_collection(LineCollection(lines.tolist(), colors=colours, linewidths=0.5, alpha=0.3))
    axis.scatter(
        first[:, 0], first[:, 1], s=16, c=colours, linewidths=0.3, edgecolors="white", zorder=3
    )
    axis.scatter(
        last[:, 0], last[:, 1], s=10, c=colours, marker="s", linewidths=0, alpha=0.6, zorder=3
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
    bars.set_yticks(height, [_cut(name, 34) for name in names], fontsize=8)
    bars.set_xlabel("% of walks that end there (colour), of real pictures (grey)", fontsize=8)
    bars.spines[["top", "right"]].set_visible(False)
    distance = 0.5 * float(np.abs(walked - real).sum())
    said = (
        f"{len(walks):,} noises and the clusters in which their walks end: "
        f"{len(set(ends.tolist()))} of {num} clusters are reached; total variation from the real "
        f"pictures' shares {distance:.2f}"
    )
    say(figure, said)
    numbers = {
        "clusters": atlas.cluster_names,
        "share_of_walks": walked.tolist(),
        "share_of_pictures": real.tolist(),
        "total_variation": distance,
    }
    return View(said, figure, numbers)


def blank_map(atlas: Atlas) -> tuple[Figure, Axes]:
    """A square figure with the land of a map alone."""
    figure = Figure(figsize=(9.6, 9.6), dpi=100, facecolor="white")
    axis = figure.add_axes((0.02, 0.04, 0.96, 0.92))
    frame_map(axis, atlas)
    draw_land(axis, atlas)
    return figure, axis


def frame_map(axis: Axes, atlas: Atlas) -> None:
    """The window of the map, without ticks: its axes have no units and no meaning."""
    left, right, bottom, top = atlas.density.extent
    axis.set_xlim(left, right)
    axis.set_ylim(bottom, top)
    axis.set_aspect("equal")
    axis.axis("off")


def draw_land(axis: Axes, atlas: Atlas) -> None:
    """The density as land: a square root, so that thin clusters are seen beside crowded ones."""
    root = np.sqrt(atlas.density.values)
    axis.imshow(
        root, origin="lower", extent=atlas.density.extent, cmap=LAND, interpolation="bilinear"
    )
    levels = np.quantile(root[root > 0.02 * root.max()], [0.05])
    grid = np.linspace(*atlas.density.extent[:2], len(root) + 1)
    up = np.linspace(*atlas.density.extent[2:], len(root) + 1)
    middle_x, middle_y = (grid[1:] + grid[:-1]) / 2, (up[1:] + up[:-1]) / 2
    axis.contour(middle_x, middle_y, root, levels=levels, colors="#bdb9ac", linewidths=0.6)


def _kinds(atlas: Atlas, colour_by: str | None) -> tuple[Sequence[str], list[str], str]:
    """What each picture is coloured by, the kinds that get a colour, and the column's name."""
    if colour_by is None and not atlas.labels:
        names = [atlas.cluster_names[cluster] for cluster in atlas.cluster_of]
        return names, atlas.cluster_names[: len(COLOURS)], "cluster"
    name = next(iter(atlas.labels)) if colour_by is None else colour_by
    column = check_label(atlas.labels, name)
    counts = Counter(kind for kind in column if kind)
    kinds = [kind for kind, _ in counts.most_common()]
    if len(kinds) > len(COLOURS):
        large = [kind for kind in kinds if counts[kind] >= 0.04 * len(column)]
        kinds = (large or kinds)[: len(COLOURS)]
    return column, kinds, name


def _thumbnails(axis: Axes, atlas: Atlas, colours: NDArray[np.float64]) -> None:
    """One picture for each cell of a coarse grid that holds any, tinted in its colour.

    Each is the picture nearest to the middle of its cell.
    """
    sprites = atlas.sprites.pixels
    cell = atlas.density.side / THUMBNAIL_SPACING
    corner = np.array(atlas.density.low)
    place = np.floor((atlas.positions - corner) / cell).astype(np.int64)
    away = np.linalg.norm(atlas.positions - (corner + (place + 0.5) * cell), axis=1)
    chosen: dict[tuple[int, int], int] = {}
    for row in np.argsort(away, kind="stable"):
        chosen.setdefault((int(place[row, 0]), int(place[row, 1])), int(row))
    for (column, line), row in chosen.items():
        left, bottom = corner + np.array([column, line]) * cell + 0.08 * cell
        axis.imshow(
            _tinted(sprites[row], colours[row]),
            extent=(left, left + 0.84 * cell, bottom, bottom + 0.84 * cell),
            zorder=4,
            interpolation="antialiased",
        )
    # imshow narrows the axes to its picture.
    left, right, low, top = atlas.density.extent
    axis.set_xlim(left, right)
    axis.set_ylim(low, top)


def _tinted(sprite: NDArray[np.uint8], colour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Grey pictures as ink of a colour on nothing; coloured ones as they are, white left out."""
    values = sprite.astype(np.float64) / 255
    ink = 1 - values.min(axis=2)
    if sprite.shape[2] == 1:
        return np.dstack([np.broadcast_to(colour, (*ink.shape, 3)), ink])
    return np.dstack([values, np.clip(4 * ink, 0, 1)])


def _cluster_names(axis: Axes, atlas: Atlas, known: Sequence[str], size: float = 9) -> None:
    """The names of the largest clusters at their middles; what the colours say is left out."""
    told = set(known)
    height = 0.021 * atlas.density.side
    placed: list[tuple[float, float, float]] = []
    for cluster in range(len(atlas.cluster_names)):
        if len(placed) == MOST_NAMES:
            break
        parts = atlas.cluster_names[cluster].split(" · ")
        name = _cut(", ".join(part for part in parts if part not in told) or parts[0], 26)
        if atlas.labels and name in told:
            continue  # its colour says as much
        x, y = (float(value) for value in atlas.cluster_centres[cluster])
        width = 0.5 * 0.011 * atlas.density.side * len(name)
        if any(abs(y - b) < height and abs(x - a) < width + w for a, b, w in placed):
            continue
        placed.append((x, y, width))
        axis.text(
            x,
            y,
            name,
            fontsize=size,
            fontweight="bold",
            color="#111111",
            ha="center",
            va="center",
            zorder=6,
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1].rstrip(" ,·") + "…"


def _dot(axis: Axes, colour: str, label: str) -> Any:
    return axis.scatter([], [], s=40, color=colour, label=label)


def _far_apart(points: NDArray[np.float32], num: int) -> list[int]:
    """Indices of `num` points far from each other: each the farthest from those before it."""
    chosen = [int(np.linalg.norm(points - np.median(points, axis=0), axis=1).argmin())]
    while len(chosen) < min(num, len(points)):
        away = np.min([np.linalg.norm(points - points[i], axis=1) for i in chosen], axis=0)
        chosen.append(int(away.argmax()))
    return chosen[:num]


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
    title = f"{letter}   {_cut(walks.prompts[index] or 'no prompt', 90)}"
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
