"""The field on a slice: at every point of a plane, which way the model would go, exactly."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from imagespace.atlas.canvas import (
    INK,
    OKABE_ITO,
    frame,
    new_figure,
    place_picture,
    say,
    show_picture,
    shown,
    side_by_side,
)
from imagespace.atlas.ends import Report, answers
from imagespace.atlas.plane import Plane
from imagespace.atlas.showing import AS_THEY_ARE, Showing
from imagespace.atlas.view import View
from imagespace.diffusion.denoiser import Denoiser, noise_from_x0
from imagespace.pictures.signed import signed_picture
from imagespace.pipeline import LARGEST_BATCH

NUM_ARROWS = 17
"""A figure draws at most this many arrows a side."""


@dataclass(frozen=True)
class Slice:
    """What a denoiser answers on a grid of a plane at time t; row v, column u.

    `direction` [V, U, 2] is the part of x0_hat - x_t that lies in the plane, `score` [V, U, 2] that
    of grad log p_t; `share` [V, U] is how much of the direction's length the part is. None of them
    is a projection of points: the grid is in the plane, and each arrow is what is asked there.
    """

    plane: Plane
    t: float
    u: Tensor
    v: Tensor
    direction: Tensor
    score: Tensor
    share: Tensor
    clean: Tensor
    """Coordinates [3, 2] of the clean pictures, seen from straight above the plane."""


def slice_at(
    denoiser: Denoiser,
    pictures: Tensor,
    t: float,
    eps: Tensor | None = None,
    num: int = NUM_ARROWS,
    report: Report | None = None,
) -> Slice:
    """The slice through three pictures [3, ...] with the same noise `eps` [...] at time t.

    The plane goes through alpha_t x_0 + sigma_t eps of each, so that every point of it has the
    noise of its time; without `eps` it goes through alpha_t x_0.
    """
    time = torch.tensor(t)
    noise = torch.zeros_like(pictures[0]) if eps is None else eps
    noisy = denoiser.schedule.add_noise(pictures, noise.expand_as(pictures), time)
    plane = Plane.through(*noisy)
    u, v = plane.grid(num)
    directions, scores, shares = [], [], []
    for x_t in plane.grid_points(u, v, LARGEST_BATCH):
        x0_hat = answers(denoiser, x_t, t)
        direction = x0_hat - x_t
        part = plane.part(direction)
        length = direction.double().flatten(1).norm(dim=1)
        eps_hat = noise_from_x0(x0_hat, x_t, time, denoiser.schedule)
        directions.append(part)
        scores.append(plane.part(-eps_hat / denoiser.schedule.sigma(time)))
        shares.append(part.norm(dim=1) / length.clamp(min=1e-12))
        if report is not None:
            report(sum(map(len, shares)), num * num)
    shape = (len(v), len(u))
    return Slice(
        plane,
        t,
        u,
        v,
        torch.cat(directions).reshape(*shape, 2),
        torch.cat(scores).reshape(*shape, 2),
        torch.cat(shares).reshape(shape),
        plane.coordinates(pictures),
    )


def slices_at(
    denoiser: Denoiser,
    pictures: Tensor,
    times: Sequence[float],
    eps: Tensor,
    num: int,
    report: Report | None = None,
) -> list[Slice]:
    """The slice at each of the times, with the same noise; reported as one piece of work."""
    slices = []
    for number, t in enumerate(times):

        def told(now: int, of: int, number: int = number) -> None:
            if report is not None:
                report(number * of + now, len(times) * of)

        slices.append(slice_at(denoiser, pictures, t, eps, num, told))
    return slices


def slice_view(
    denoiser: Denoiser,
    pictures: Tensor,
    names: Sequence[str],
    t: float,
    eps: Tensor,
    num: int = NUM_ARROWS,
    film_times: Sequence[float] = (),
    report: Report | None = None,
    showing: Showing = AS_THEY_ARE,
) -> View:
    """The field on the plane through three samples [3, C, H, W], and its film over `film_times`.

    Beside it stands the field at the middle of the three, as a picture; of latents, as the picture
    of where it points less the picture of the middle. UserError: the samples lie on one line.
    """
    slices = slices_at(denoiser, pictures, [t, *film_times], eps, num, report)
    alpha = float(denoiser.schedule.alpha(torch.tensor(t)))
    sentence = (
        f"Arrows: the part in the plane of x0_hat - x_t at noise level t = {t:g}, exact at every "
        "point, at one scale. Background: how much of the whole vector's length that part is. "
        "Every point is a mixture of the three pictures with the same noise; x_t holds "
        f"{alpha:.2g} of a picture, so that the clean ones lie farther out."
    )
    if showing.is_of_latents:
        sentence += " Pictures are latents here; what is shown of them is decoded."
    frames = [frame(_figure(denoiser, one, pictures, "", showing)) for one in slices[1:]]
    figure = _figure(denoiser, slices[0], pictures, sentence, showing)
    share = slices[0].share
    numbers = {
        "t": t,
        "points": num * num,
        "share_in_plane_median": float(share.median()),
        "share_in_plane_lowest": float(share.min()),
        "share_in_plane_highest": float(share.max()),
        "distances": [
            float((pictures[i] - pictures[j]).norm()) for i, j in ((0, 1), (1, 2), (2, 0))
        ],
    }
    title = f"The field on the plane through {', '.join(names)} at t = {t:g}"
    return View(title, figure, numbers, frames)


def _figure(
    denoiser: Denoiser, one: Slice, pictures: Tensor, sentence: str, showing: Showing
) -> Figure:
    figure = new_figure(9.2, 6.9 if sentence else 6.2)
    left, right = side_by_side(figure, [3.4, 1])
    axis = left.add_subplot()
    image = axis.pcolormesh(
        one.u.numpy(),
        one.v.numpy(),
        one.share.numpy(),
        cmap="cividis",
        vmin=0,
        vmax=max(0.1, math.ceil(float(one.share.max()) * 10) / 10),
        shading="gouraud",
        rasterized=True,
    )
    bar = left.colorbar(image, ax=axis, shrink=0.75, pad=0.02)
    bar.set_label("share of the vector that lies in the plane", fontsize=9)
    bar.outline.set_visible(False)  # type: ignore[operator]
    draw_arrows(axis, one)
    draw_corners(axis, one, pictures, showing)
    axis.set_title(f"t = {one.t:.2f}", fontsize=11, color=INK, loc="left")
    axis.set_xlabel(f"u (distance in {showing.space})", fontsize=9)
    axis.set_ylabel("v", fontsize=9)
    axis.tick_params(labelsize=8)
    axis.plot(0, 0, "+", color="white", markersize=11, markeredgewidth=2.2, zorder=4)
    if pictures.dim() == 4:
        middle = one.plane.points(torch.zeros(1), torch.zeros(1))
        seen = showing.pictures(answers(denoiser, middle, one.t))
        middle = showing.pictures(middle)
        signed, _ = signed_picture((seen - middle)[0])
        panels = right.subplots(3, 1)
        show_picture(panels[0], shown(middle[0]), "+  the middle, x_t")
        show_picture(panels[1], shown(seen[0]), "what it sees, x0_hat")
        show_picture(panels[2], np.asarray(signed), "direction: blue brightens,\norange darkens")
    if sentence:
        say(figure, sentence)
    return figure


def draw_arrows(axis: Axes, one: Slice, num: int = NUM_ARROWS) -> None:
    """The part of the direction in the plane, at most `num` arrows a side, at one scale."""
    every = -(-len(one.u) // num)
    u, v = one.u[::every].numpy(), one.v[::every].numpy()
    arrows = one.direction[::every, ::every].numpy()
    lengths = np.linalg.norm(arrows, axis=-1)
    # All but the longest fiftieth span up to 1.6 cells of the grid.
    cell = float(u[1] - u[0])
    scale = (float(np.quantile(lengths, 0.98)) or 1.0) / (1.6 * cell)
    axis.quiver(
        u,
        v,
        arrows[..., 0],
        arrows[..., 1],
        angles="xy",
        scale_units="xy",
        scale=scale,
        width=0.0032,
        color="white",
        edgecolor="black",
        linewidth=0.3,
    )
    axis.set_aspect("equal")
    axis.set_xlim(float(one.u[0]), float(one.u[-1]))
    axis.set_ylim(float(one.v[0]), float(one.v[-1]))


def draw_corners(
    axis: Axes, one: Slice, pictures: Tensor, showing: Showing, size: float = 46
) -> None:
    """The three pictures at their places, or dots for points."""
    drawn = showing.pictures(pictures) if pictures.dim() == 4 else pictures
    for number, (u, v) in enumerate(one.plane.corners.tolist()):
        colour = OKABE_ITO[number]
        if pictures.dim() == 4:
            place_picture(axis, shown(drawn[number]), (u, v), size, colour)
        else:
            axis.plot(u, v, "o", color=colour, markersize=9, markeredgecolor="white", zorder=5)
