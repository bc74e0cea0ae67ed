"""Basins: a slice of noise space, each point coloured by what its walk ends in."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt  # type: ignore[import-untyped]
from torch import Tensor

from imagespace.atlas.canvas import (
    INK,
    OKABE_ITO,
    REST,
    bare,
    frame,
    new_figure,
    place_picture,
    say,
    shown,
    side_by_side,
)
from imagespace.atlas.ends import Course, Report, ends
from imagespace.atlas.plane import Plane
from imagespace.atlas.reading import Reading
from imagespace.atlas.showing import AS_THEY_ARE, Showing
from imagespace.atlas.view import View
from imagespace.diffusion.denoiser import Denoiser
from imagespace.errors import UserError
from imagespace.evaluation import wilson_interval
from imagespace.pipeline import LARGEST_BATCH

NUM_CHECKED = 64
STRIDES = (4, 2, 1)


@dataclass(frozen=True)
class Basins:
    """What the walk from every point of a grid [V, U] of noises ends in, row v, column u.

    `walked` [V, U] says which were walked. The others lie in a square whose four corners ended
    alike, and are taken to end so too; of `num_checked` of them that were walked after all,
    `num_right` did.
    """

    plane: Plane
    u: Tensor
    v: Tensor
    kinds: NDArray[np.int64]
    walked: NDArray[np.bool_]
    num_checked: int
    num_right: int


def basins(
    denoiser: Denoiser,
    noises: Tensor,
    course: Course,
    reading: Reading,
    num: int = 33,
    walk_all: bool = False,
    spherical: bool = True,
    report: Report | None = None,
) -> Basins:
    """The basins on the slice through three noises [3, ...] of unit scale, on a num x num grid.

    The slice is spherical, of the norm sqrt(d) that noise of d values has, unless `spherical` is
    False. The sampler of `course` must be deterministic. With `walk_all` every point is walked;
    otherwise every fourth, and then those between neighbours that ended apart. Errors: UserError
    for a grid that is not 4 n + 1, or noises on one line.
    """
    if num < 5 or (num - 1) % STRIDES[0]:
        raise UserError(f"grid {num}", "must be 4 n + 1 and at least 5", "Use 17, 33 or 65")
    a, b, c = noises
    plane = Plane.through(a, b, c, radius=a.numel() ** 0.5 if spherical else None)
    u, v = plane.grid(num)
    sigma = denoiser.schedule.sigma(torch.tensor(course.times[0]))
    kinds = np.full((num, num), -1, dtype=np.int64)

    def look(rows: NDArray[np.int64], columns: NDArray[np.int64], told: Report | None) -> Tensor:
        found = []
        for start in range(0, len(rows), LARGEST_BATCH):
            batch = slice(start, start + LARGEST_BATCH)
            x_1 = plane.points(u[columns[batch]], v[rows[batch]]) * sigma
            found.append(reading(ends(denoiser, x_1, course)))
            if told is not None:
                told(min(batch.stop, len(rows)), len(rows))
        return torch.cat(found)

    strides = (1,) if walk_all else STRIDES
    for place, stride in enumerate(strides):
        wanted = _between_neighbours(kinds, strides[place - 1]) if place else kinds < 0
        wanted[_off_grid(num, stride)] = False
        wanted &= kinds < 0
        rows, columns = np.nonzero(wanted)
        done = int((kinds >= 0).sum())

        def told(now: int, total: int, done: int = done) -> None:
            if report is not None:
                report(done + now, done + total)

        if len(rows):
            kinds[rows, columns] = look(rows, columns, told).numpy()
    walked = kinds >= 0
    _fill(kinds)
    rows, columns = np.nonzero(~walked)
    chosen = np.random.default_rng(0).permutation(len(rows))[:NUM_CHECKED]
    num_right = 0
    if len(chosen):
        truth = look(rows[chosen], columns[chosen], None).numpy()
        num_right = int((truth == kinds[rows[chosen], columns[chosen]]).sum())
        kinds[rows[chosen], columns[chosen]] = truth
        walked[rows[chosen], columns[chosen]] = True
    return Basins(plane, u, v, kinds, walked, len(chosen), num_right)


def _off_grid(num: int, stride: int) -> NDArray[np.bool_]:
    on = np.arange(num) % stride == 0
    off: NDArray[np.bool_] = ~(on[:, None] & on)
    return off


def _between_neighbours(kinds: NDArray[np.int64], stride: int) -> NDArray[np.bool_]:
    """Points of the squares of this side whose corners did not end alike."""
    wanted = np.zeros(kinds.shape, dtype=bool)
    for row in range(0, len(kinds) - 1, stride):
        for column in range(0, len(kinds) - 1, stride):
            square = slice(row, row + stride + 1), slice(column, column + stride + 1)
            corners = kinds[square][::stride, ::stride]
            # A corner that was not walked lies inside a larger square that is all of one kind.
            if len(np.unique(corners[corners >= 0])) > 1:
                wanted[square] = True
    return wanted


def _fill(kinds: NDArray[np.int64]) -> None:
    """Gives each point that was not walked the kind of the square that it lies in."""
    for stride in STRIDES:
        for row in range(0, len(kinds) - 1, stride):
            for column in range(0, len(kinds) - 1, stride):
                square = kinds[row : row + stride + 1, column : column + stride + 1]
                corners = square[::stride, ::stride]
                if corners.min() >= 0 and corners.min() == corners.max():
                    square[square < 0] = corners[0, 0]


def basins_view(
    shown_under: Sequence[tuple[str, Denoiser]],
    noises: Tensor,
    seeds: Sequence[int],
    course: Course,
    reading: Reading,
    num: int = 33,
    walk_all: bool = False,
    report: Report | None = None,
    showing: Showing = AS_THEY_ARE,
) -> View:
    """The same slice under one or several labelled denoisers: prompts, strengths of guidance.

    Basins of noise itself, exact at every point that is walked. `Atlas.view_basins` draws others:
    the map's clusters in which walks end, with each noise where its first answer lies.
    Each is a panel and a frame of the film. `reading` reads samples (of latents: `ShownReading`).
    Errors as in `basins`.
    """
    found = []
    for number, (_, denoiser) in enumerate(shown_under):

        def told(now: int, total: int, number: int = number) -> None:
            if report is not None:
                report(number * num * num + now, (len(shown_under) - 1) * num * num + total)

        one = basins(denoiser, noises, course, reading, num, walk_all, report=told)
        found.append(one)
    kinds, counts = np.unique(np.stack([one.kinds for one in found]), return_counts=True)
    order = [int(kind) for kind in kinds[np.argsort(-counts, kind="stable")]]
    colours = dict(zip(order, OKABE_ITO, strict=False))
    num_steps = len(course.times) - 1
    columns = 1 if len(found) == 1 else 2 if len(found) in (2, 4) else 3
    rows = -(-len(found) // columns)
    side = 6.2 if columns == 1 else 4.4
    figure = new_figure(side * columns + 2.2, side * rows + 1.0)
    panels, legend_part = side_by_side(figure, [side * columns, 2.0])
    axes = panels.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(found) :]:
        axis.set_axis_off()
    frames = []
    for axis, (label, denoiser), one in zip(axes, shown_under, found, strict=False):
        _draw(axis, label, denoiser, one, course, colours, seeds, side, showing)
        alone = new_figure(8.2, 6.4)
        left, right = side_by_side(alone, [6.2, 2.0])
        _draw(left.add_subplot(), label, denoiser, one, course, colours, seeds, 6.2, showing)
        _legend(right.add_subplot(), order, one.kinds, colours, reading)
        frames.append(frame(alone))
    _legend(
        legend_part.add_subplot(),
        order,
        np.stack([one.kinds for one in found]),
        colours,
        reading,
    )
    checked = sum(one.num_checked for one in found)
    right_ones = sum(one.num_right for one in found)
    total = sum(one.kinds.size for one in found)
    num_walked = sum(int(one.walked.sum()) for one in found)
    noise = "a noise of latents" if showing.is_of_latents else "a noise"
    sentence = (
        f"Every point is {noise} of norm sqrt(d) on the sphere through those of seeds "
        f"{', '.join(map(str, seeds))}, coloured by what its walk of {num_steps} steps ends in; "
        f"{num_walked:,} of {total:,} were walked"
        + (", the others lie between four that ended alike." if num_walked < total else ".")
    )
    say(figure, sentence)
    numbers = {
        "seeds": list(seeds),
        "steps": num_steps,
        "grid": num,
        "noises": total,
        "walked": num_walked,
        "checked": checked,
        "checked_right": right_ones,
        "checked_interval": list(wilson_interval(right_ones, checked)) if checked else None,
        "shares": {
            label: {
                reading.name(kind): float((one.kinds == kind).mean())
                for kind in order[: len(OKABE_ITO)]
                if (one.kinds == kind).any()
            }
            for (label, _), one in zip(shown_under, found, strict=True)
        },
        "kinds": {
            label: len(np.unique(one.kinds))
            for (label, _), one in zip(shown_under, found, strict=True)
        },
    }
    title = f"Basins of {', '.join(label for label, _ in shown_under)}"
    return View(title, figure, numbers, frames if len(frames) > 1 else ())


def _draw(
    axis: Axes,
    label: str,
    denoiser: Denoiser,
    one: Basins,
    course: Course,
    colours: dict[int, str],
    seeds: Sequence[int],
    side: float,
    showing: Showing,
) -> None:
    rest = to_rgb(REST)
    picture = np.array(
        [[to_rgb(colours[k]) if k in colours else rest for k in r] for r in one.kinds]
    )
    u, v = one.u.numpy(), one.v.numpy()
    half = (u[1] - u[0]) / 2
    edges = (u[0] - half, u[-1] + half, v[0] - half, v[-1] + half)
    axis.imshow(picture, origin="lower", extent=edges, interpolation="nearest")
    bare(axis)
    axis.set_title(label, fontsize=12, color=INK)
    places = _deepest(one.kinds, list(colours))
    if places and one.plane.origin.dim() == 3:
        rows, columns = (torch.tensor(values) for values in zip(*places, strict=True))
        sigma = denoiser.schedule.sigma(torch.tensor(course.times[0]))
        pictures = ends(denoiser, one.plane.points(one.u[columns], one.v[rows]) * sigma, course)
        for (row, column), x in zip(places, showing.pictures(pictures), strict=True):
            kind = int(one.kinds[row, column])
            place = (float(u[column]), float(v[row]))
            place_picture(axis, shown(x), place, side * 7.2, colours.get(kind, REST))
    for seed, (x, y) in zip(seeds, one.plane.corners.tolist(), strict=True):
        axis.plot(
            x, y, "o", markersize=8, markerfacecolor="white", markeredgecolor="black", zorder=6
        )
        axis.annotate(
            f"seed {seed}",
            (x, y),
            (7, -3),
            textcoords="offset points",
            fontsize=8.5,
            zorder=6,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"},
        )


def _deepest(kinds: NDArray[np.int64], order: Sequence[int]) -> list[tuple[int, int]]:
    """The point farthest from any border, (row, column), of each kind that has room for one."""
    places = []
    least = max(1.5, len(kinds) / 16)
    for kind in order:
        inside = np.pad(kinds == kind, 1)
        depth = distance_transform_edt(inside)[1:-1, 1:-1]
        if depth.max() >= least:
            row, column = np.unravel_index(int(depth.argmax()), depth.shape)
            places.append((int(row), int(column)))
    return places


def _legend(
    axis: Axes,
    order: Sequence[int],
    kinds: NDArray[np.int64],
    colours: dict[int, str],
    reading: Reading,
) -> None:
    bare(axis)
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 12)
    axis.text(0, 11.3, f"{reading.what}", fontsize=10, color=INK)
    shares = [(reading.name(k), colours[k], float((kinds == k).mean())) for k in colours]
    rest = [k for k in order if k not in colours]
    if rest:
        share = float(np.isin(kinds, rest).mean())
        shares.append((f"{len(rest)} more", REST, share))
    for number, (name, colour, share) in enumerate(shares):
        y = 10.3 - number * 0.95
        axis.add_patch(Rectangle((0.0, y - 0.28), 0.11, 0.56, facecolor=colour, edgecolor="none"))
        text = f"{name}  {share:.0%}" if share >= 0.005 else f"{name}  <1%"
        axis.text(0.17, y, text, fontsize=9.5, va="center", color=INK)
