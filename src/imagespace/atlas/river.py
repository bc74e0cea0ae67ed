"""The river: points on a line flowing from the Gaussian to the data, time on the other axis."""

from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from torch import Tensor

from imagespace.atlas.canvas import INK, OKABE_ITO, frame, new_figure, open_sides, say
from imagespace.atlas.ends import walk_places
from imagespace.atlas.view import View
from imagespace.diffusion.denoiser import Denoiser
from imagespace.diffusion.samplers import Heun
from imagespace.diffusion.spacing import uniform

NUM_WALKERS = 4_001
NUM_PATHS = 41
NUM_BINS = 240
NUM_FRAMES = 25


@dataclass(frozen=True)
class River:
    """Where the quantiles of the noise are at each time: `places` [T, N] at falling `times` [T].

    On a line paths of the flow do not cross, so that the k-th of N walkers stays the k-th: the
    share of the density between two of them is 1/N at all times: no density is fitted.
    """

    times: Tensor
    places: Tensor

    def density(self, edges: Tensor) -> Tensor:
        """Probability per unit of length in bins between `edges` [E + 1], at each time [T, E].

        The share below an edge is read between the two walkers around it.
        """
        num = self.places.shape[1]
        shares = (np.arange(num) + 0.5) / num
        below = [
            np.interp(edges.numpy(), row, shares, left=0.0, right=1.0)
            for row in self.places.sort(dim=1).values.numpy()
        ]
        return torch.from_numpy(np.diff(np.stack(below), axis=1)).to(edges) / edges.diff()


def river(denoiser: Denoiser, num_steps: int = 100, num: int = NUM_WALKERS) -> River:
    """Walks the N quantiles (k + 1/2) / N of N(0, sigma_1^2) to the data, by Heun's method."""
    shares = (torch.arange(num, dtype=torch.float64) + 0.5) / num
    sigma = denoiser.schedule.sigma(torch.tensor(1.0))
    x = torch.special.ndtri(shares).float()[:, None] * sigma
    times = uniform(num_steps, denoiser.schedule)
    return River(torch.tensor(times), walk_places(denoiser, x, times, Heun())[..., 0])


def river_view(
    denoiser: Denoiser,
    points: Tensor | None = None,
    num_steps: int = 100,
    film: bool = False,
) -> View:
    """The river of a model of points on a line, beside the true `points` [N, 1] if given."""
    found = river(denoiser, num_steps)
    ends = found.places[-1]
    sigma = float(denoiser.schedule.sigma(torch.tensor(1.0)))
    reach = max(3.2 * min(sigma, 1.0), 1.35 * float(ends.abs().quantile(0.999)))
    edges = torch.linspace(-reach, reach, NUM_BINS + 1)
    density = found.density(edges)
    figure = new_figure(10.5, 6.4)
    _draw(figure, found, density, edges, points, len(found.times) - 1)
    say(
        figure,
        "Points of pure noise (left) flow to the data (right); shade is the density of the model "
        f"at each time, white lines are every {100 / (NUM_PATHS - 1):g}th percentile. Lines of the "
        "flow never cross, so that equal shares of the probability run between neighbours.",
    )
    frames = []
    if film:
        for index in np.linspace(0, num_steps, NUM_FRAMES).round().astype(int).tolist():
            moving = new_figure(8.4, 4.8)
            _draw(moving, found, density, edges, points, index)
            frames.append(frame(moving))
    quantiles = (0.05, 0.25, 0.5, 0.75, 0.95)
    numbers = {
        "walkers": len(ends),
        "steps": num_steps,
        "quantiles": {f"{q:g}": float(ends.quantile(q)) for q in quantiles},
        "share_above_zero": float((ends > 0).double().mean()),
    }
    if points is not None:
        numbers["true_quantiles"] = {f"{q:g}": float(points.quantile(q)) for q in quantiles}
        numbers["true_share_above_zero"] = float((points > 0).double().mean())
    return View("From noise to data on a line", figure, numbers, frames)


def _draw(
    figure: Figure,
    found: River,
    density: Tensor,
    edges: Tensor,
    points: Tensor | None,
    last: int,
) -> None:
    """The river up to step `last`; the rest is still to come and stays dark."""
    noise, middle, data = figure.subplots(1, 3, width_ratios=[1, 6, 1], sharey=True)
    top = float(density[: -max(2, len(density) // 20)].quantile(0.995))
    shown = density.clone()
    shown[last + 1 :] = 0
    middle.pcolormesh(
        found.times.numpy(),
        edges.numpy(),
        shown[:-1].T.numpy(),
        cmap="magma",
        norm=PowerNorm(0.6, 0, top),
        shading="flat",
        rasterized=True,
    )
    chosen = np.linspace(0, found.places.shape[1] - 1, NUM_PATHS + 2).round().astype(int)[1:-1]
    paths = found.places[: last + 1, chosen]
    middle.plot(found.times[: last + 1], paths, color="white", linewidth=0.6, alpha=0.65)
    middle.set_xlim(1, 0)
    middle.set_ylim(float(edges[0]), float(edges[-1]))
    middle.set_xlabel("time t: noise to data", fontsize=9.5)
    middle.tick_params(labelsize=8)
    middle.set_title(f"t = {float(found.times[last]):.2f}", fontsize=10, color=INK, loc="left")
    _side(noise, density[0], edges, "noise", flip=True)
    noise.set_ylabel("x", fontsize=10)
    _side(data, density[last], edges, "model", flip=False)
    if points is not None:
        true = torch.histogram(points.flatten().float(), edges, density=True).hist
        data.stairs(
            true.numpy(),
            edges.numpy(),
            orientation="horizontal",
            color=OKABE_ITO[1],
            linewidth=1.4,
            label="data",
        )
    data.set_xlim(0, 1.15 * float(density[-1].quantile(0.995)) or 1)
    data.legend(fontsize=8, frameon=False, loc="upper right")


def _side(axis: Axes, density: Tensor, edges: Tensor, label: str, flip: bool) -> None:
    axis.stairs(
        density.numpy(),
        edges.numpy(),
        orientation="horizontal",
        fill=True,
        color="#7a3b8f",
        alpha=0.85,
        label=label,
    )
    if flip:
        axis.invert_xaxis()
    axis.set_xticks([])
    open_sides(axis)
    axis.spines[["bottom"]].set_visible(False)
    axis.tick_params(labelsize=8)
    axis.set_title(label, fontsize=9.5, color=INK)
