"""Forward: pictures dissolve into noise, and where their clouds are meanwhile, exactly.

Of a few pictures; the cloud of the whole set is in data_cloud.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from imagespace.atlas.canvas import (
    INK,
    OKABE_ITO,
    bare,
    frame,
    new_figure,
    open_sides,
    place_picture,
    say,
    show_picture,
    shown,
    side_by_side,
)
from imagespace.atlas.data_cloud import TIMES, data_cloud, draw_data_cloud, draw_data_clouds
from imagespace.atlas.plane import Plane
from imagespace.atlas.showing import AS_THEY_ARE, Showing
from imagespace.atlas.view import View
from imagespace.diffusion.schedule import Schedule
from imagespace.randomness import picture_noise

NUM_SAMPLES = 200
NUM_SHOWN = 8
NUM_FRAMES = 25


@dataclass(frozen=True)
class Cloud:
    """q(x_t | x_0) of one picture at time t, seen on a plane: exactly N(mean, std^2 I) there.

    `samples` [N, 2] are drawn from it in image space and then looked at; `heights` [N] are their
    distances from the plane. `height` is the root of the mean square of that distance:
    sqrt(h^2 + sigma^2 (d - 2)), with h the distance from the plane of `alpha x_0` itself.
    """

    mean: Tensor
    std: float
    height: float
    samples: Tensor
    heights: Tensor


def cloud_at(
    schedule: Schedule,
    plane: Plane,
    x_0: Tensor,
    t: float,
    seed: int = 0,
    num: int = NUM_SAMPLES,
) -> Cloud:
    """The cloud of one picture [C, H, W] at time t; with `std` sigma_t in every direction."""
    time = torch.tensor(t)
    alpha, sigma = float(schedule.alpha(time)), float(schedule.sigma(time))
    eps = picture_noise(tuple(x_0.shape), seed, "forward", range(num))
    x_t = alpha * x_0 + sigma * eps
    centre = (alpha * x_0)[None]
    left = _height(plane, centre)[0]
    height = float((left**2 + sigma**2 * (x_0.numel() - 2)) ** 0.5)
    return Cloud(
        plane.coordinates(centre)[0], sigma, height, plane.coordinates(x_t), _height(plane, x_t)
    )


def _height(plane: Plane, x: Tensor) -> Tensor:
    """Distances [N] of x [N, ...] from the plane."""
    away = (x.double() - plane.origin).flatten(1)
    inside = plane.part(away)
    squared = away.square().sum(dim=1) - inside.square().sum(dim=1)
    return squared.clamp(min=0).sqrt()


def forward_view(
    schedule: Schedule,
    pictures: Tensor,
    names: Sequence[str],
    seed: int = 0,
    film: bool = False,
    showing: Showing = AS_THEY_ARE,
    data: Tensor | None = None,
) -> View:
    """Three samples [3, C, H, W] dissolving, and their clouds on the plane through them.

    `data` [N, C, H, W] are samples of the whole set, whose cloud is then drawn as well. UserError:
    the three lie on one line.
    """
    plane = Plane.through(*pictures)
    times = torch.linspace(0, 1, NUM_SHOWN).tolist()
    eps = picture_noise(tuple(pictures[0].shape), seed, "forward", [0])[0]
    heights = [3.3, 4.6] if data is None else [3.3, 4.6, 2.35]
    figure = new_figure(11.0, sum(heights) + 1.0)
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    top, bottom, *lowest = (figure.add_subfigure(grid[row]) for row in range(len(heights)))
    panels = top.subplots(len(pictures), NUM_SHOWN)
    for row, x_0 in enumerate(pictures):
        for column, t in enumerate(times):
            x_t = schedule.add_noise(x_0[None], eps[None], torch.tensor(t))[0]
            title = f"t = {t:.2f}" if row == 0 else ""
            show_picture(panels[row, column], _stretched(x_t, showing), title)
        panels[row, 0].set_ylabel(_label(names[row]), fontsize=9, color=OKABE_ITO[row])
        panels[row, 0].spines[:].set_color(OKABE_ITO[row])
    on_plane, distances = bottom.subplots(1, 2, width_ratios=[1, 1.1])
    _draw_plane(on_plane, schedule, plane, pictures, times, seed, showing)
    _draw_distances(distances, schedule, plane, pictures, names, seed)
    distances.set_ylabel(f"distance in {showing.space}", fontsize=9)
    enters = (
        "the latents of three pictures, shown decoded"
        if showing.is_of_latents
        else ("three pictures")
    )
    said = (
        f"Above: one noise enters {enters}. Below left: the plane through them; lines are the "
        "means alpha_t x_0, circles one sigma_t, dots drawn samples, all at true scale, the end "
        "also enlarged. Below right: nearly all of the noise's length stands off the plane."
    )
    if data is not None:
        draw_data_clouds(lowest[0], schedule, plane, data, seed)
        said += (
            f" Lowest: q(x_t) of the whole set, {len(data)} of its pictures on the same plane, "
            "each with noise of its own, each time at its own scale. Ellipses: one and two "
            "standard deviations, alpha_t^2 Cov(x_0) + sigma_t^2 I; dashed: two of the "
            "Gaussian that it becomes at t = 1."
        )
    say(figure, said)
    frames = []
    if film:
        for t in torch.linspace(0, 1, NUM_FRAMES).tolist():
            moving = _film_figure(schedule, plane, pictures, eps, t, seed, showing, data)
            frames.append(frame(moving))
    clouds = [[cloud_at(schedule, plane, x_0, t, seed, 1) for t in times] for x_0 in pictures]
    numbers: dict[str, Any] = {
        "times": times,
        "one_sigma": [one.std for one in clouds[0]],
        "height_above_plane": {
            name: [one.height for one in row] for name, row in zip(names, clouds, strict=True)
        },
        "samples_within_one_sigma": _within(schedule, plane, pictures, seed),
        "expected_within_one_sigma": 1 - float(np.exp(-0.5)),
    }
    if data is not None:
        of_data = [data_cloud(schedule, plane, data, t, seed) for t in TIMES]
        numbers |= {
            "pictures_of_the_set": len(data),
            "times_of_the_set": list(TIMES),
            "longest_spread_of_the_set": [one.spread[0] for one in of_data],
            "shortest_spread_of_the_set": [one.spread[1] for one in of_data],
        }
    return View(f"{', '.join(names)} dissolving", figure, numbers, frames)


def _label(name: str) -> str:
    """A name short enough to stand beside its picture."""
    return name if len(name) <= 14 else f"{name[:13].rstrip(' ,')}…"


def _within(schedule: Schedule, plane: Plane, pictures: Tensor, seed: int) -> float:
    """The share of drawn samples inside their own circle of one sigma, at t = 1/2."""
    inside = []
    for number, x_0 in enumerate(pictures):
        one = cloud_at(schedule, plane, x_0, 0.5, seed + number)
        inside.append((one.samples - one.mean).norm(dim=1) <= one.std)
    return float(torch.cat(inside).double().mean())


def _stretched(sample: Tensor, showing: Showing) -> np.ndarray:
    """A noisy picture; beyond the range of pictures (large sigma) it is scaled back into it."""
    x_t = showing.pictures(sample[None])[0]
    return shown(x_t / max(1.0, float(x_t.abs().quantile(0.99)) / 2))


def _draw_cloud(axis: Axes, one: Cloud, colour: str, dot: float) -> None:
    x, y = one.samples.numpy().T
    axis.scatter(x, y, s=dot, color=colour, alpha=0.45, linewidths=0, zorder=3)
    if one.std > 0:
        mean = (float(one.mean[0]), float(one.mean[1]))
        axis.add_patch(Circle(mean, one.std, fill=False, edgecolor=INK, linewidth=1.1, zorder=4))


def _draw_plane(
    axis: Axes,
    schedule: Schedule,
    plane: Plane,
    pictures: Tensor,
    times: Sequence[float],
    seed: int,
    showing: Showing,
) -> None:
    zero = plane.coordinates(torch.zeros_like(pictures[:1]))[0]
    ends = []
    drawn = showing.pictures(pictures) if pictures.dim() == 4 else pictures
    for number, x_0 in enumerate(pictures):
        colour = OKABE_ITO[number]
        clouds = [cloud_at(schedule, plane, x_0, t, seed + number) for t in times]
        path = torch.stack([one.mean for one in clouds]).numpy()
        axis.plot(path[:, 0], path[:, 1], color=colour, linewidth=1.6, alpha=0.8)
        for one in clouds[1:]:
            _draw_cloud(axis, one, colour, 2)
        ends.append(clouds[-1])
        if pictures.dim() == 4:
            place_picture(
                axis, shown(drawn[number]), tuple(plane.corners[number].tolist()), 46, colour
            )
    axis.set_aspect("equal")
    axis.margins(0.16)
    axis.set_title("on their plane", fontsize=10, color=INK, loc="left")
    open_sides(axis)
    axis.tick_params(labelsize=8)
    corner = axis.inset_axes((0.72, 0.70, 0.30, 0.30))
    for number, one in enumerate(ends):
        _draw_cloud(corner, one, OKABE_ITO[number], 4)
    reach = 3.6 * ends[0].std
    mean = ends[0].mean.tolist()
    corner.set_xlim(mean[0] - reach, mean[0] + reach)
    corner.set_ylim(mean[1] - reach, mean[1] + reach)
    corner.set_aspect("equal")
    bare(corner)
    corner.spines[:].set_visible(True)
    corner.spines[:].set_color("#999999")
    corner.set_title("t = 1, enlarged", fontsize=8.5, color=INK)
    axis.plot(float(zero[0]), float(zero[1]), "+", color=INK, markersize=9, zorder=6)


def _draw_distances(
    axis: Axes,
    schedule: Schedule,
    plane: Plane,
    pictures: Tensor,
    names: Sequence[str],
    seed: int,
) -> None:
    times = torch.linspace(0, 1, 41)
    alpha, sigma = schedule.alpha(times), schedule.sigma(times)
    d = pictures[0].numel()
    zero = float(_height(plane, torch.zeros_like(pictures[:1]))[0])
    off = (((1 - alpha) * zero).square() + sigma.square() * (d - 2)).sqrt()
    axis.plot(times, off, color=INK, linewidth=2, label="distance from the plane")
    for t in torch.linspace(0.1, 1, 10).tolist():
        heights = cloud_at(schedule, plane, pictures[0], t, seed, 24).heights.numpy()
        axis.plot([t] * len(heights), heights, ".", color=INK, markersize=3, alpha=0.4)
    for number, (i, j) in enumerate(((0, 1), (1, 2), (2, 0))):
        apart = alpha * (pictures[i] - pictures[j]).norm()
        label = f"{_label(names[i])} to {_label(names[j])}, means"
        style = ("--", "-.", ":")[number]
        axis.plot(times, apart, style, color=OKABE_ITO[(0, 1, 2)[number]], label=label)
    axis.plot(times, sigma, color=OKABE_ITO[5], label="one sigma in the plane")
    axis.set_xlabel("time t: picture to noise", fontsize=9)
    axis.set_ylim(top=1.4 * axis.get_ylim()[1])  # room for the legend above the lines
    axis.legend(fontsize=8.5, frameon=False, loc="upper left")
    axis.tick_params(labelsize=8)
    axis.set_title("how far", fontsize=10, color=INK, loc="left")
    open_sides(axis)


def _film_figure(
    schedule: Schedule,
    plane: Plane,
    pictures: Tensor,
    eps: Tensor,
    t: float,
    seed: int,
    showing: Showing,
    data: Tensor | None,
) -> Figure:
    figure = new_figure(8.6, 5.4)
    left, right = side_by_side(figure, [1, 3.3])
    axis = right.add_subplot()
    if data is not None:
        draw_data_cloud(axis, data_cloud(schedule, plane, data, t, seed))
    panels = left.subplots(3, 1)
    for number, x_0 in enumerate(pictures):
        colour = OKABE_ITO[number]
        x_t = schedule.add_noise(x_0[None], eps[None], torch.tensor(t))[0]
        show_picture(panels[number], _stretched(x_t, showing))
        panels[number].spines[:].set_color(colour)
        panels[number].spines[:].set_linewidth(2)
        one = cloud_at(schedule, plane, x_0, t, seed + number)
        corner = plane.corners[number]
        way = torch.stack([corner, one.mean]).numpy()
        axis.plot(way[:, 0], way[:, 1], color=colour, linewidth=1.2, alpha=0.6)
        axis.plot(*corner.tolist(), "s", color=colour, markersize=6)
        _draw_cloud(axis, one, colour, 4)
    low, high = plane.corners.min(dim=0).values, plane.corners.max(dim=0).values
    reach = float((high - low).max()) * 0.62
    centre = ((low + high) / 2).tolist()
    axis.set_xlim(centre[0] - reach, centre[0] + reach)
    axis.set_ylim(centre[1] - reach, centre[1] + reach)
    axis.set_aspect("equal")
    axis.tick_params(labelsize=8)
    open_sides(axis)
    off = float(cloud_at(schedule, plane, pictures[0], t, seed, 2).height)
    title = f"t = {t:.2f}    distance from the plane {off:.0f}"
    if data is not None:
        title += "    grey: the whole set"
    axis.set_title(title, fontsize=10, loc="left")
    return figure
