"""The hill: log density over a plane, climbed together from the scores that the model gives."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LightSource, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.sparse import coo_array  # type: ignore[import-untyped]
from scipy.sparse.linalg import spsolve  # type: ignore[import-untyped]
from torch import Tensor

from imagespace.atlas.canvas import INK, OKABE_ITO, frame, new_figure, say, side_by_side
from imagespace.atlas.ends import Report
from imagespace.atlas.showing import AS_THEY_ARE, Showing
from imagespace.atlas.slice import Slice, draw_corners, slices_at
from imagespace.atlas.view import View
from imagespace.diffusion.denoiser import Denoiser


@dataclass(frozen=True)
class Hill:
    """log p_t on a slice, up to a constant: nats [V, U], the highest point 0.

    `disagreement` is how far two ways to the same point differ: the root of the mean square, over
    the grid, of the height along u first and then v less that along v first. It is zero where the
    scores are the gradient of some density and the grid is fine enough: the estimate's error.
    """

    heights: NDArray[np.float64]
    disagreement: float

    @property
    def drop(self) -> float:
        """From the highest point to the lowest, in nats."""
        return float(-self.heights.min())


def hill_of(one: Slice) -> Hill:
    """The heights whose steps from neighbour to neighbour best fit the scores, by least squares.

    From x to y the step is (score(x) + score(y)) / 2 . (y - x), the trapezoid rule, of second order
    in the width of the grid. All paths count alike: with an exact score any of them would do.
    """
    score = one.score.numpy()
    rows, columns = score.shape[:2]
    du, dv = float(one.u[1] - one.u[0]), float(one.v[1] - one.v[0])
    along_u = (score[:, 1:, 0] + score[:, :-1, 0]) / 2 * du  # [V, U - 1]
    along_v = (score[1:, :, 1] + score[:-1, :, 1]) / 2 * dv  # [V - 1, U]
    number = np.arange(rows * columns).reshape(rows, columns)
    before = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    after = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    steps = np.concatenate([along_u.ravel(), along_v.ravel()])
    edge = np.arange(len(steps))
    incidence = coo_array(
        (
            np.concatenate([np.ones_like(steps), -np.ones_like(steps)]),
            (np.concatenate([edge, edge]), np.concatenate([after, before])),
        ),
        shape=(len(steps), rows * columns),
    ).tocsc()[:, 1:]  # the first point is at height 0: only differences are known
    solved = spsolve((incidence.T @ incidence).tocsc(), incidence.T @ steps)
    heights = np.concatenate([[0.0], solved]).reshape(rows, columns)
    u_first = np.zeros((rows, columns))
    u_first[0, 1:] = along_u[0].cumsum()
    u_first[1:] = u_first[0] + along_v.cumsum(axis=0)
    v_first = np.zeros((rows, columns))
    v_first[1:, 0] = along_v[:, 0].cumsum()
    v_first[:, 1:] = v_first[:, :1] + along_u.cumsum(axis=1)
    disagreement = float(np.sqrt(np.mean((u_first - v_first) ** 2)))
    return Hill(heights - heights.max(), disagreement)


def hill_view(
    denoiser: Denoiser,
    pictures: Tensor,
    names: Sequence[str],
    t: float,
    eps: Tensor,
    num: int = 33,
    film_times: Sequence[float] = (),
    report: Report | None = None,
    showing: Showing = AS_THEY_ARE,
) -> View:
    """The hill over the plane through three samples [3, ...], and its film over `film_times`.

    Of latents the density is that of the latents, not of the pictures that they are decoded to.
    UserError: the samples lie on one line.
    """
    slices = slices_at(denoiser, pictures, [t, *film_times], eps, num, report)
    found = [(one, hill_of(one)) for one in slices]
    frames = [frame(_figure(one, hill, pictures, names, "", showing)) for one, hill in found[1:]]
    one, hill = found[0]
    sentence = (
        f"Height: log p_t at t = {t:g} over the plane through three pictures with the same noise, "
        "an estimate: the least-squares sum of the model's scores along the grid. Two ways to one "
        f"point differ by {hill.disagreement:.3g} nats, of {hill.drop:,.0f} from top to bottom."
    )
    if showing.is_of_latents:
        sentence += (
            " Pictures are latents here, shown decoded: the density is one of latents, per unit "
            "of latent space, and not of pixels."
        )
    corner = [_nearest(one, hill, place) for place in one.plane.corners.tolist()]
    numbers = {
        "t": t,
        "density_of": "latents" if showing.is_of_latents else "pictures",
        "points": num * num,
        "drop_nats": hill.drop,
        "disagreement_nats": hill.disagreement,
        "heights_at_pictures_nats": dict(zip(names, corner, strict=True)),
        "height_at_the_middle_nats": _nearest(one, hill, (0.0, 0.0)),
    }
    figure = _figure(one, hill, pictures, names, sentence, showing)
    return View(f"The hill over {', '.join(names)} at t = {t:g}", figure, numbers, frames)


def _nearest(one: Slice, hill: Hill, place: Sequence[float]) -> float:
    column = int((one.u - place[0]).abs().argmin())
    row = int((one.v - place[1]).abs().argmin())
    return float(hill.heights[row, column])


def _figure(
    one: Slice,
    hill: Hill,
    pictures: Tensor,
    names: Sequence[str],
    sentence: str,
    showing: Showing,
) -> Figure:
    figure = new_figure(12.0, 6.4 if sentence else 5.7)
    left, right = side_by_side(figure, [1.15, 1])
    u, v = one.u.numpy(), one.v.numpy()
    surface = left.add_subplot(projection="3d", computed_zorder=False)
    norm = Normalize(hill.heights.min(), 0)
    shade = LightSource(azdeg=300, altdeg=50).shade(
        hill.heights,
        colormaps["viridis"],
        norm=norm,
        vert_exag=float(u[-1] - u[0]) / max(hill.drop, 1e-9),
        dx=float(u[1] - u[0]),
        dy=float(v[1] - v[0]),
        blend_mode="soft",
    )
    grid_u, grid_v = np.meshgrid(u, v)
    surface.plot_surface(
        grid_u,
        grid_v,
        hill.heights,
        facecolors=shade,
        rstride=1,
        cstride=1,
        linewidth=0,
        antialiased=False,
        shade=False,
    )
    lift = 0.10 * hill.drop
    for number, (x, y) in enumerate(one.plane.corners.tolist()):
        z = _nearest(one, hill, (x, y))
        surface.plot([x, x], [y, y], [z, z + lift], color=OKABE_ITO[number], linewidth=2, zorder=9)
        surface.text(
            x,
            y,
            z + 1.15 * lift,
            names[number],
            color=INK,
            fontsize=10,
            ha="center",
            zorder=10,
            bbox={"facecolor": "white", "edgecolor": OKABE_ITO[number], "pad": 1.5},
        )
    surface.view_init(elev=48, azim=-68)
    surface.set_box_aspect((1, 1, 0.62))
    of = " of latents" if showing.is_of_latents else ""
    surface.set_zlabel(f"log p_t{of}, nats below the top", fontsize=8.5)
    surface.tick_params(labelsize=7)
    surface.set_xlabel("u", fontsize=8.5)
    surface.set_ylabel("v", fontsize=8.5)
    surface.set_title(f"t = {one.t:.2f}", fontsize=11, color=INK, loc="left")
    plan = right.add_subplot()
    filled = plan.contourf(u, v, hill.heights, levels=24, cmap="viridis")
    plan.contour(u, v, hill.heights, levels=24, colors="white", linewidths=0.4, alpha=0.5)
    score = one.score.numpy()
    plan.streamplot(
        u, v, score[..., 0], score[..., 1], color="white", density=0.9, linewidth=0.9, arrowsize=0.9
    )
    draw_corners(plan, one, pictures, showing, 40)
    plan.set_aspect("equal")
    plan.set_xlim(u[0], u[-1])
    plan.set_ylim(v[0], v[-1])
    plan.set_xlabel(f"u (distance in {showing.space})", fontsize=9)
    plan.set_title("lines of steepest ascent", fontsize=10, color=INK)
    plan.tick_params(labelsize=8)
    bar = right.colorbar(filled, ax=plan, shrink=0.7)
    bar.set_label(f"nats below the top{', density' + of if of else ''}", fontsize=9)
    bar.outline.set_visible(False)  # type: ignore[operator]
    if sentence:
        say(figure, sentence)
    return figure
