"""Points in the plane: here the whole space can be drawn, its density, its field, its walks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from torch import Tensor

from imagespace.atlas.canvas import INK, frame, new_figure, say
from imagespace.atlas.ends import Report, walk_places
from imagespace.atlas.view import View
from imagespace.diffusion.denoiser import Denoiser
from imagespace.diffusion.likelihood import likelihood
from imagespace.diffusion.samplers import Heun
from imagespace.diffusion.spacing import LARGEST_RATIO, uniform
from imagespace.randomness import generator

TIMES = (0.9, 0.6, 0.35, 0.2, 0.08)
"""Noise shares that the figure shows: t itself on the rectified flow."""
STEPS_OF_A_DECADE = 10
NUM_PATHS = 160
NUM_FRAMES = 20


@dataclass(frozen=True)
class PointField:
    """A square of the plane at time t: row y, column x.

    `density` [Y, X] is p_t by the change of variables along the model's own flow (likelihood.py),
    `direction` [Y, X, 2] is x0_hat - x_t; `mass` is the sum of the density over the square, which
    is 1 if the square holds everything and the grid is fine enough.
    """

    t: float
    axis: Tensor
    density: Tensor
    direction: Tensor
    mass: float


def point_field(denoiser: Denoiser, t: float, reach: float, num: int = 61) -> PointField:
    """Density and direction on num x num points of the square from -reach to reach."""
    axis = torch.linspace(-reach, reach, num)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    x_t = torch.stack([x, y], dim=-1).reshape(-1, 2)
    time = torch.tensor(t)
    ratio = float(denoiser.schedule.ratio(time))
    decades = np.log10(LARGEST_RATIO / ratio)
    num_steps = max(4, round(STEPS_OF_A_DECADE * decades))
    log_density = likelihood(denoiser, x_t, ratio, num_steps).log_probability
    density = log_density.exp().reshape(num, num)
    with torch.no_grad():
        direction = denoiser.direction(x_t, time).reshape(num, num, 2)
    cell = float(axis[1] - axis[0]) ** 2
    return PointField(t, axis, density, direction, float(density.sum()) * cell)


def point_field_view(
    denoiser: Denoiser,
    points: Tensor | None = None,
    num: int = 61,
    num_steps: int = 60,
    seed: int = 0,
    film: bool = False,
    report: Report | None = None,
) -> View:
    """Density and field at five times and the walks between, for a model of points in the plane.

    `points` [N, 2] are true ones to show beside the walks' ends.
    """
    schedule = denoiser.schedule
    sigma = float(schedule.sigma(torch.tensor(1.0)))
    start = torch.randn(NUM_PATHS, 2, generator=generator(seed, "paths")) * sigma
    times = uniform(num_steps, schedule)
    paths = walk_places(denoiser, start, times, Heun())
    end = paths[-1]
    far = float(end.abs().quantile(0.99))
    share = torch.linspace(0.97, 0.03, NUM_FRAMES) if film else torch.empty(0)
    shown = [float(schedule.time_of_share(torch.tensor(s))) for s in (*TIMES, *share.tolist())]
    fields = []
    for number, t in enumerate(shown):
        spread = far * float(schedule.alpha(torch.tensor(t)))
        reach = 1.1 * spread + 2.2 * float(schedule.sigma(torch.tensor(t)))
        fields.append(point_field(denoiser, t, max(reach, 1.15 * far), num))
        if report is not None:
            report(number + 1, len(shown))
    figure = new_figure(11.4, 8.2)
    axes = figure.subplots(2, 3).ravel()
    for axis, one in zip(axes, fields, strict=False):
        _draw_field(axis, one)
    _draw_paths(axes[5], times, paths, points)
    say(
        figure,
        "Shade: the model's own density p_t, by the change of variables along its flow. Arrows: "
        "x0_hat - x_t, the way to the data. Last: walks from noise (dark) to data (bright)"
        + (", over the data in grey." if points is not None else "."),
    )
    frames = [frame(_film_figure(one, times, paths)) for one in fields[len(TIMES) :]]
    numbers = {
        "times": shown[: len(TIMES)],
        "mass_in_the_frame": [one.mass for one in fields[: len(TIMES)]],
        "walks": NUM_PATHS,
        "steps": num_steps,
        "mean_of_the_ends": end.mean(dim=0).tolist(),
        "spread_of_the_ends": end.std(dim=0).tolist(),
    }
    return View("The whole space of points in the plane", figure, numbers, frames)


def _draw_field(axis: Axes, one: PointField) -> None:
    reach = float(one.axis[-1])
    density = one.density.numpy()
    top = float(np.quantile(density, 0.998)) or 1.0
    levels = np.linspace(0, 1, 13) ** 1.6 * top
    axis.contourf(one.axis, one.axis, density, levels=levels, cmap="cividis", extend="max")
    every = max(1, len(one.axis) // 15)
    at = one.axis[every // 2 :: every].numpy()
    arrows = one.direction[every // 2 :: every, every // 2 :: every].numpy()
    length = np.linalg.norm(arrows, axis=-1)
    # All but the longest twentieth span up to 1.4 cells; short ones stay short.
    scale = (float(np.quantile(length, 0.95)) or 1.0) / (1.4 * float(at[1] - at[0]))
    axis.quiver(
        at,
        at,
        arrows[..., 0],
        arrows[..., 1],
        angles="xy",
        scale_units="xy",
        scale=scale,
        color="white",
        width=0.0045,
        alpha=0.9,
    )
    _square(axis, reach, f"t = {one.t:.2f}")


def _draw_paths(axis: Axes, times: Sequence[float], paths: Tensor, points: Tensor | None) -> None:
    if points is not None:
        x, y = points[:4000].numpy().T
        axis.plot(x, y, ".", color="#b5b5b5", markersize=1.5, zorder=1)
    for line in paths.transpose(0, 1).numpy():
        segments = np.stack([line[:-1], line[1:]], axis=1)
        # From dark to bright, short of the yellow that white paper swallows.
        lines = LineCollection(list(segments), cmap="viridis", linewidths=0.8, alpha=0.75)
        lines.set_array(0.9 * (1 - np.array(times[:-1])))
        lines.set_clim(0, 1)
        axis.add_collection(lines)
    end = paths[-1].numpy()
    axis.plot(end[:, 0], end[:, 1], ".", color="#D55E00", markersize=3.5, zorder=4)
    reach = float(torch.cat([paths[-1] * 1.3, paths[0] / paths[0].std()]).abs().quantile(0.99))
    _square(axis, reach, f"{paths.shape[1]} walks and their ends")


def _film_figure(one: PointField, times: Sequence[float], paths: Tensor) -> Figure:
    figure = new_figure(5.6, 5.8)
    axis = figure.add_subplot()
    _draw_field(axis, one)
    number = min(range(len(times)), key=lambda index: abs(times[index] - one.t))
    x, y = paths[number].numpy().T
    axis.plot(
        x, y, ".", color="#E69F00", markersize=5, markeredgecolor="black", markeredgewidth=0.3
    )
    return figure


def _square(axis: Axes, reach: float, title: str) -> None:
    axis.set_xlim(-reach, reach)
    axis.set_ylim(-reach, reach)
    axis.set_aspect("equal")
    axis.tick_params(labelsize=7.5)
    axis.set_title(title, fontsize=10, color=INK, loc="left")
