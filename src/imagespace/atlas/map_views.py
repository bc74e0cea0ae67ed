"""What an atlas shows: the map, its land, clusters and pictures."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from imagespace.atlas.atlas import Atlas, check_label
from imagespace.atlas.canvas import OKABE_ITO, say
from imagespace.atlas.map_scores import SIDES
from imagespace.atlas.view import View

# Without the yellow, which white paper swallows; blue and vermilion, the farthest apart, first.
COLOURS = tuple(OKABE_ITO[number] for number in (0, 5, 2, 3, 1, 4))
OTHER = "#8a8a8a"
MOST_NAMES = 20
LAND = LinearSegmentedColormap.from_list("land", ["#ffffff", "#eceae4", "#d3d0c6"])
THUMBNAIL_SPACING = 40  # thumbnails a side of the map, at most


def view_map(atlas: Atlas, colour_by: str | None = None) -> View:
    """Density, clusters with their names, and real pictures where they lie.

    Colours are those of a label column, by default the one with the fewest kinds; without labels,
    of the clusters. UserError: the pictures carry no such label.
    """
    figure, axis = blank_map(atlas)
    column, kinds, name = kinds_of(atlas, colour_by)
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
    draw_cluster_names(axis, atlas, colour_by)
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


def kinds_of(atlas: Atlas, colour_by: str | None) -> tuple[Sequence[str], list[str], str]:
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


def draw_cluster_names(
    axis: Axes, atlas: Atlas, colour_by: str | None = None, size: float = 9
) -> None:
    """The names of the largest clusters at their middles; what the colours say is left out."""
    column, _, label = kinds_of(atlas, colour_by)
    # A cluster of pictures labelled 3 is named "label 3".
    told = {name for kind in set(column) for name in (kind, f"{label} {kind}")}
    height = 0.021 * atlas.density.side
    placed: list[tuple[float, float, float]] = []
    for cluster in range(len(atlas.cluster_names)):
        if len(placed) == MOST_NAMES:
            break
        parts = atlas.cluster_names[cluster].split(" · ")
        name = shortened(", ".join(part for part in parts if part not in told) or parts[0], 26)
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


def shortened(name: str, most: int) -> str:
    """A name in at most so many characters."""
    return name if len(name) <= most else name[: most - 1].rstrip(" ,·") + "…"


def _dot(axis: Axes, colour: str, label: str) -> Any:
    return axis.scatter([], [], s=40, color=colour, label=label)
