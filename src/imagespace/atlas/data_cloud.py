"""The cloud of all the data: where a whole set of pictures is at time t, seen on a plane.

Of one picture q(x_t | x_0) is a Gaussian (forward.py); of the set it is their mixture,
q(x_t) = E_{x_0} N(alpha_t x_0, sigma_t^2 I), which drifts from the data to one Gaussian.
"""

from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.patches import Ellipse
from torch import Tensor

from imagespace.atlas.canvas import INK, OKABE_ITO, bare
from imagespace.atlas.plane import Plane
from imagespace.diffusion.schedule import Schedule
from imagespace.randomness import picture_noise

TIMES = (0.0, 0.3, 0.6, 0.8, 0.9, 1.0)
"""Late ones are closer together: far from the data there is little room to be seen in before."""


@dataclass(frozen=True)
class DataCloud:
    """q(x_t) of a set of pictures, on a plane.

    `points` [N, 2] are alpha_t x_0 + sigma_t eps, with noise of its own for each picture of the
    set. `mean` [2] and `covariance` [2, 2] = alpha_t^2 Cov(x_0) + sigma_t^2 I are exact for the
    set: those of all its points and of all noise, not of the points drawn.
    """

    points: Tensor
    mean: Tensor
    covariance: Tensor

    @property
    def spread(self) -> tuple[float, float]:
        """The standard deviations along the longest axis of the cloud and across it."""
        least, most = torch.linalg.eigvalsh(self.covariance).clamp(min=0).sqrt().tolist()
        return most, least


def data_cloud(schedule: Schedule, plane: Plane, x_0: Tensor, t: float, seed: int = 0) -> DataCloud:
    """The cloud of a set of pictures [N, C, H, W] at time t."""
    time = torch.tensor(t)
    alpha, sigma = float(schedule.alpha(time)), float(schedule.sigma(time))
    eps = picture_noise(tuple(x_0.shape[1:]), seed, "forward/data", range(len(x_0)))
    covariance = alpha**2 * torch.cov(plane.part(x_0).T, correction=0)
    return DataCloud(
        plane.coordinates(alpha * x_0 + sigma * eps),
        plane.coordinates(alpha * x_0.mean(dim=0, keepdim=True))[0],
        covariance + sigma**2 * torch.eye(2, dtype=torch.double),
    )


def draw_data_clouds(
    figure: SubFigure, schedule: Schedule, plane: Plane, x_0: Tensor, seed: int
) -> None:
    """A row of clouds of the set, each at its own scale, with the Gaussian of t = 1 in each."""
    last = data_cloud(schedule, plane, x_0, 1.0, seed)
    for axis, t in zip(figure.subplots(1, len(TIMES)), TIMES, strict=True):
        one = data_cloud(schedule, plane, x_0, t, seed)
        draw_data_cloud(axis, one)
        outline = _outline(last, 2, edgecolor=OKABE_ITO[5], linewidth=1.6, linestyle=(0, (2, 1.2)))
        axis.add_patch(outline)
        # A square window that holds both.
        far = float((last.mean - one.mean).norm()) + 2.3 * last.spread[0]
        half = max(3.2 * one.spread[0], far)
        axis.set_xlim(float(one.mean[0]) - half, float(one.mean[0]) + half)
        axis.set_ylim(float(one.mean[1]) - half, float(one.mean[1]) + half)
        axis.set_aspect("equal")
        bare(axis)
        axis.spines[:].set_visible(True)
        axis.spines[:].set_color("#bbbbbb")
        axis.set_title(f"t = {t:g}", fontsize=10, color=INK)
        axis.set_xlabel(f"{2 * half:.3g} wide", fontsize=8.5, color=INK)


def draw_data_cloud(axis: Axes, one: DataCloud) -> None:
    """The points of a cloud, and its one and two standard deviations."""
    x, y = one.points.numpy().T
    axis.scatter(x, y, s=6, color="#8a8a8a", alpha=0.65, linewidths=0, zorder=1)
    for num in (1, 2):
        axis.add_patch(_outline(one, num, edgecolor=INK, linewidth=1.1))


def _outline(one: DataCloud, num: int, **style: Any) -> Ellipse:
    """Where a cloud is `num` standard deviations from its mean."""
    longest = torch.linalg.eigh(one.covariance).eigenvectors[:, 1]
    angle = float(torch.rad2deg(torch.atan2(longest[1], longest[0])))
    most, least = one.spread
    mean = (float(one.mean[0]), float(one.mean[1]))
    size = (2 * num * most, 2 * num * least)
    return Ellipse(mean, *size, angle=angle, fill=False, zorder=3, **style)
