"""Where walks end, many points of one time a batch at a time, and where they stand on the way."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser
from imagespace.diffusion.samplers import DETERMINISTIC, Noise, Sampler, walk
from imagespace.diffusion.spacing import step_times
from imagespace.errors import UserError
from imagespace.pipeline import LARGEST_BATCH, Model, SamplingOptions
from imagespace.pipeline.settings import sampling_config
from imagespace.precision import arithmetic

Report = Callable[[int, int], None]
"""Told how many of how many points are done."""


@dataclass(frozen=True)
class Course:
    """How walks go: times that fall from 1 to 0, a new sampler for each walk, the arithmetic."""

    times: list[float]
    build_sampler: Callable[[], Sampler]
    dtype: torch.dtype = torch.float32


def course_of(model: Model, options: SamplingOptions, dtype: torch.dtype = torch.float32) -> Course:
    """The course of a model's own walks, with a caller's changes; errors of `Model.settings`."""
    config = sampling_config(model.config.sampling, options)
    times = step_times(config.num_steps, model.schedule, config.spacing, config.time_shift)
    return Course(times, config.build_sampler, dtype)


def check_deterministic(model: Model, options: SamplingOptions) -> None:
    """Errors: UserError for a sampler whose walks do not depend on their start alone."""
    config = sampling_config(model.config.sampling, options)
    if config.sampler not in DETERMINISTIC or config.eta:
        raise UserError(
            f"sampler {config.sampler}",
            "draws fresh noise: where a walk ends does not depend on its start alone",
            "Use dpmpp_2m, ddim, euler or heun, without eta",
        )


def no_noise(index: int) -> Tensor:
    """The noise of a walk that draws none."""
    raise AssertionError(f"step {index} of a deterministic walk asked for noise")


def ends(
    denoiser: Denoiser,
    x_t: Tensor,
    course: Course,
    first: int = 0,
    noise_of: Callable[[slice], Noise] | None = None,
) -> Tensor:
    """The ends [N, ...] of walks from x_t [N, ...], which stand at time `course.times[first]`.

    `noise_of(rows)` is the noise of a batch of these rows, for a sampler that draws any.
    """
    parts = []
    for start in range(0, len(x_t), LARGEST_BATCH):
        rows = slice(start, min(start + LARGEST_BATCH, len(x_t)))
        noise = no_noise if noise_of is None else noise_of(rows)
        with torch.no_grad(), arithmetic(course.dtype):
            sampler, end = course.build_sampler(), x_t[rows]
            for step in walk(denoiser, end, course.times[first:], sampler, noise):
                end = step.x_next
        parts.append(end)
    return torch.cat(parts)


def walk_places(
    denoiser: Denoiser, x_t: Tensor, times: list[float], sampler: Sampler, noise: Noise = no_noise
) -> Tensor:
    """Where walks from x_t [N, ...] at `times[0]` stand at each of the T times: [T, N, ...]."""
    places = [x_t]
    with torch.no_grad():
        places += [step.x_next for step in walk(denoiser, x_t, times, sampler, noise)]
    return torch.stack(places)


def answers(denoiser: Denoiser, x_t: Tensor, t: float) -> Tensor:
    """x0_hat [N, ...] at a batch of points x_t [N, ...] of one time."""
    with torch.no_grad():
        return denoiser(x_t, x_t.new_tensor(t))
