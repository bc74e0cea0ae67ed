"""A training run replayed on a map: the same seeds drawn by the weights of every evaluation."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from imagespace.atlas.atlas import Atlas
from imagespace.atlas.canvas import frame, say
from imagespace.atlas.latents import channels_last
from imagespace.atlas.made_from import check_made_from
from imagespace.atlas.map_views import COLOURS, OTHER, blank_map
from imagespace.atlas.off_map_marks import draw_dots, draw_paths
from imagespace.atlas.view import View
from imagespace.atlas.walk_views import TIMES
from imagespace.evaluation.curves import history_files, replay
from imagespace.evaluation.subject import Subject
from imagespace.pipeline import LARGEST_BATCH, Model

if TYPE_CHECKING:
    from imagespace.atlas.space import PictureSpace
    from imagespace.pictures.folder import PictureSet

NUM_REPLAYED = 128
FRAME_DPI = 72


def view_replay(
    atlas: Atlas,
    model: Model,
    pictures: "PictureSet",
    space: "PictureSpace",
    num: int = NUM_REPLAYED,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> View:
    """Where the same prompts and seeds end at every evaluation of the run, one frame each.

    Colours are those of the clusters in which the last weights put them; a hollow dot is off the
    map, and a line to or from one is dotted. UserError: the model is no run folder, its run kept no
    earlier weights, or the atlas is of other weights or pictures or was made in another space.
    """
    check_made_from(atlas, model, pictures, space)
    num_kept = len(history_files(model.source))
    seen, positions, ratios = [], [], []
    # One state at a time: a run keeps hundreds, each the size of a model.
    for number, (num_images, weights) in enumerate(replay(model)):
        subject = Subject(weights, pictures, num, seed)
        placed = atlas.projection(space.coordinates(_ends(subject, num, space.name)))
        seen.append(num_images)
        positions.append(placed.positions)
        ratios.append(placed.ratio)
        if progress is not None:
            progress(number + 1, num_kept)
    paths, off = np.stack(positions, axis=1), np.stack(ratios, axis=1) > 1
    ends = atlas.clusters_at(paths[:, -1])
    common = np.argsort(-np.bincount(ends, minlength=len(atlas.cluster_names)), kind="stable")
    colour_of = dict(zip(common.tolist(), COLOURS, strict=False))
    colours = [colour_of.get(int(cluster), OTHER) for cluster in ends]
    frames = [
        frame(_moment(atlas, paths[:, number], off[:, number], colours, num_images), FRAME_DPI)
        for number, num_images in enumerate(seen)
    ]
    figure, axis = blank_map(atlas)
    steps = paths.shape[1]
    when = TIMES(np.arange(steps - 1) / max(steps - 1, 1))
    draw_paths(axis, paths, off, when, 0.8, "paths", alpha=0.5)
    draw_dots(axis, paths[:, -1], off[:, -1], TIMES(1.0), 14, "ends", linewidths=0.8, zorder=3)
    shares = off.mean(axis=0)
    said = (
        f"{len(paths)} prompts and seeds through training, from {seen[0]:,} pictures seen (orange) "
        f"to {seen[-1]:,} (violet): {100 * shares[0]:.0f} % are off the map at first, "
        f"{100 * shares[-1]:.0f} % at last: hollow and dotted, drawn where the nearest pictures lie"
    )
    axis.set_title("The same noise through training", loc="left", fontsize=15, fontweight="bold")
    say(figure, said)
    numbers = {
        "pictures_seen": seen,
        "off_map": shares.tolist(),
        "median_travel": np.median(np.linalg.norm(np.diff(paths, axis=1), axis=2), axis=0).tolist(),
    }
    return View(said, figure, numbers, frames)


def _ends(subject: Subject, num: int, space: str) -> NDArray[np.uint8] | NDArray[np.float32]:
    """What the first samples end in, as the space takes it: pixels, or latents as they are."""
    settings = subject.settings()[:num]
    if space != "latent":
        return subject.draw(settings)
    parts = []
    for start in range(0, len(settings), LARGEST_BATCH):
        for step in subject.steps(settings[start : start + LARGEST_BATCH]):  # noqa: B007
            pass
        parts.append(channels_last(step.x_next))
    return np.concatenate(parts)


def _moment(
    atlas: Atlas,
    positions: NDArray[np.float32],
    off: NDArray[np.bool_],
    colours: list[str],
    num_images: int,
) -> Figure:
    figure, axis = blank_map(atlas)
    draw_dots(axis, positions, off, colours, 40, "ends", linewidths=1.2)
    title = f"after {num_images:,} pictures"
    axis.set_title(title, loc="left", fontsize=15, fontweight="bold")
    return figure
