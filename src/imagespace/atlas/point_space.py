"""The whole space of points on a line or in the plane, measured for its page."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from imagespace.atlas.ends import Report, walk_places
from imagespace.atlas.point_field import point_field
from imagespace.atlas.point_page import PointPage, PointSlice
from imagespace.atlas.river import river
from imagespace.diffusion.denoiser import Denoiser
from imagespace.diffusion.samplers import DDPM, Heun
from imagespace.diffusion.spacing import uniform
from imagespace.errors import UserError
from imagespace.randomness import generator

SHARES = (0.98, 0.9, 0.8, 0.7, 0.6, 0.5, 0.42, 0.35, 0.29, 0.24, 0.2, 0.16, 0.12, 0.09, 0.06, 0.035)
"""Noise shares whose density and field the page holds; between them it blends."""
COARSE_FROM = 0.65  # the noise share from which a grid of two thirds as many points will do
NUM_WALKS, NUM_LINE_WALKS = 400, 60
MOST_POINTS = 3000
REACH_STDS = 3.7  # where a Gaussian has 1/1000 of its height, its shading meets the ground
LINE_ASPECT = 1.5  # of the river: time is that much longer than the line is high
NUM_COLUMNS, NUM_LINES, NUM_ARROWS = 200, 240, 41
NUM_FIELD = 121  # points a side of the field in the plane, which costs little
LONG = 2.5  # times the mean length of the direction, over the density


def page_of_points(
    denoiser: Denoiser,
    num_dimensions: int,
    points: Tensor | None = None,
    title: str = "",
    num: int = 61,
    num_steps: int = 100,
    seed: int = 0,
    report: Report | None = None,
) -> PointPage:
    """The page of a model of points: x_t from the Gaussian to the data, with density and field.

    `num` points a side of the densest grids. `points` [M, D] are true ones, of which up to 3,000
    are shown.
    Errors: UserError for points of other than one or two dimensions.
    """
    if num_dimensions not in (1, 2):
        raise UserError(
            f"points of {num_dimensions} dimensions",
            "a page shows a line or a plane",
            "Name a model of one or two",
        )
    start = torch.randn(NUM_WALKS, num_dimensions, generator=generator(seed, "paths"))
    if num_dimensions == 1:  # quantiles, so that equal shares run between neighbours of the flow
        shares = (torch.arange(NUM_LINE_WALKS) + 0.5) / NUM_LINE_WALKS
        start = torch.special.ndtri(shares)[:, None]
    start = start * float(denoiser.schedule.sigma(torch.tensor(1.0)))
    times = uniform(num_steps, denoiser.schedule)
    flow = walk_places(denoiser, start, times, Heun())

    def fresh(index: int) -> Tensor:
        return torch.randn(start.shape, generator=generator(seed, "step", index))

    noise = walk_places(denoiser, start, times, DDPM(), fresh)
    fewer = uniform(max(1, num_steps // 2), denoiser.schedule)
    coarse = walk_places(denoiser, start, fewer, Heun())[-1]
    far = float(torch.cat([flow[-1], noise[-1]]).abs().quantile(0.99))
    real = torch.empty(0, num_dimensions) if points is None else points.float()
    # A list may be in any order: those to show are chosen at random.
    chosen = torch.randperm(len(real), generator=generator(seed, "shown"))[:MOST_POINTS]
    true = real[chosen]
    width = 0.0
    if num_dimensions == 1:
        slices, width = _line(denoiser, times, far)
        place = torch.tensor([width * (1 - t) for t in times])[:, None, None].expand_as(flow)
        flow, noise = torch.cat([place, flow], dim=-1), torch.cat([place, noise], dim=-1)
        # Beside the end of time, apart from each other, so that many look like many.
        beside = torch.rand(true.shape, generator=generator(seed, "beside"))
        true = torch.cat([width * (1.01 + 0.03 * beside), true], dim=-1)
    else:
        slices = _plane(denoiser, far, num, report)
    numbers = _numbers(flow, noise, coarse, real, slices, num_dimensions)
    numbers |= {"walks": len(start), "steps": num_steps}
    return PointPage(
        title=title or "The whole space of points",
        is_line=num_dimensions == 1,
        width=width,
        slices=slices,
        times=times,
        flow=flow.transpose(0, 1).numpy(),
        noise=noise.transpose(0, 1).numpy(),
        points=true.numpy(),
        num_points=len(real),
        scores=_in_words(numbers),
        numbers=numbers,
    )


def _plane(denoiser: Denoiser, far: float, num: int, report: Report | None) -> list[PointSlice]:
    slices: list[PointSlice] = []
    for number, share in enumerate(SHARES):
        time = denoiser.schedule.time_of_share(torch.tensor(share))
        alpha, sigma = (
            float(scale(time)) for scale in (denoiser.schedule.alpha, denoiser.schedule.sigma)
        )
        reach = 1.1 * alpha * far + REACH_STDS * sigma
        side = max(11, round(num * 2 / 3)) if share > COARSE_FROM else num
        one = point_field(denoiser, float(time), reach, side)
        extent = (-reach, reach, -reach, reach)
        # The field is shown all over the square of the first time, where the walks begin.
        whole = slices[0].extent if slices else extent
        axis = torch.linspace(whole[0], whole[1], NUM_FIELD)
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        with torch.no_grad():
            field = denoiser.direction(torch.stack([x, y], dim=-1).reshape(-1, 2), time)
        lengths = one.direction.norm(dim=-1)
        long = LONG * float((lengths * one.density).sum() / one.density.sum())
        slices.append(
            PointSlice(
                t=one.t,
                extent=extent,
                density=one.density.numpy(),
                field_extent=whole,
                field=field.reshape(NUM_FIELD, NUM_FIELD, 2).numpy(),
                long=long or 1.0,
            )
        )
        if report is not None:
            report(number + 1, len(SHARES))
    return slices


def _line(denoiser: Denoiser, times: list[float], far: float) -> tuple[list[PointSlice], float]:
    """The river as one slice, each of its columns relative to its own highest density."""
    sigma = float(denoiser.schedule.sigma(torch.tensor(1.0)))
    reach = max(REACH_STDS * sigma, 1.35 * far)
    width = 2 * reach * LINE_ASPECT
    found = river(denoiser, NUM_COLUMNS - 1)
    density = found.density(torch.linspace(-reach, reach, NUM_LINES + 1))
    relative = density / density.max(dim=1, keepdim=True).values
    middle = reach * (1 - 1 / NUM_LINES)  # of the outermost bins
    y = torch.linspace(-middle, middle, NUM_ARROWS)
    columns = []
    for t in torch.linspace(1, 0, NUM_ARROWS).clamp(min=float(times[-2])):
        with torch.no_grad():
            slope = -denoiser.velocity(y[:, None], t)[:, 0] / width
        columns.append(torch.stack([torch.ones_like(slope), slope], dim=-1))
    vectors = torch.stack(columns, dim=1)
    vectors = vectors / vectors.norm(dim=-1, keepdim=True)
    extent = (0.0, width, -middle, middle)
    one = PointSlice(0.0, extent, relative.T.numpy(), extent, vectors.numpy(), 1.0)
    return [one], width


def _numbers(
    flow: Tensor,
    noise: Tensor,
    coarse: Tensor,
    real: Tensor,
    slices: list[PointSlice],
    num_dimensions: int,
) -> dict[str, Any]:
    ends, others = flow[-1, :, -num_dimensions:], noise[-1, :, -num_dimensions:]
    numbers: dict[str, Any] = {
        "flow_and_noise_end_apart": float((ends - others).norm(dim=1).mean()),
        "half_the_steps_end_apart": float((ends - coarse).norm(dim=1).median()),
        "mean_of_the_flow": ends.mean(dim=0).tolist(),
        "spread_of_the_flow": ends.std(dim=0).tolist(),
        "mean_with_noise": others.mean(dim=0).tolist(),
        "spread_with_noise": others.std(dim=0).tolist(),
    }
    if num_dimensions == 2:
        cells = [(one.extent[1] - one.extent[0]) / (len(one.density) - 1) for one in slices]
        numbers["mass_in_the_frame"] = [
            float(one.density.sum()) * cell**2 for one, cell in zip(slices, cells, strict=True)
        ]
    if len(real):
        numbers["mean_of_the_data"] = real.mean(dim=0).tolist()
        numbers["spread_of_the_data"] = real.std(dim=0).tolist()
    return numbers


def _in_words(numbers: Mapping[str, Any]) -> dict[str, str]:
    def places(name: str) -> str:
        return " and ".join(f"{value:.2f}" for value in numbers[name])

    words = {}
    if "mass_in_the_frame" in numbers:
        masses: list[float] = numbers["mass_in_the_frame"]
        words["Probability in the shading (1 is right)"] = f"{min(masses):.3f} to {max(masses):.3f}"
    words["A walk of half as many steps ends beside the flow's by"] = (
        f"{numbers['half_the_steps_end_apart']:.4f} in the median"
    )
    words["The walk with noise ends elsewhere than the flow from the same start, by"] = (
        f"{numbers['flow_and_noise_end_apart']:.2f} on average"
    )
    kinds = {"flow": "of_the_flow", "with noise": "with_noise", "data": "of_the_data"}
    told = {kind: name for kind, name in kinds.items() if f"spread_{name}" in numbers}
    words["Yet both end alike: standard deviations"] = "; ".join(
        f"{kind} {places(f'spread_{name}')}" for kind, name in told.items()
    )
    return words
