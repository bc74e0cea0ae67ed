"""Walks of the laboratory: named noise for each picture, and the end of a walk."""

from collections.abc import Sequence

import torch
from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser
from imagespace.diffusion.samplers import Noise, Sampler, Step, walk
from imagespace.lab.laboratory import Laboratory


def start_noise(laboratory: Laboratory, stream: str, pictures: Sequence[int]) -> Tensor:
    """Where the walks of these pictures start: x_1 [N, C, H, W], each from its number alone."""
    shape = laboratory.model.config.network.sample_shape
    scale = laboratory.model.schedule.sigma(torch.tensor(1.0))
    drawn = [laboratory.noise(f"{stream}/start", shape, picture) for picture in pictures]
    return torch.stack(drawn) * scale


def step_noise(laboratory: Laboratory, stream: str, pictures: Sequence[int]) -> Noise:
    """The fresh noise of each step of these pictures' walks, each from its number alone."""
    shape = laboratory.model.config.network.sample_shape

    def noise(index: int) -> Tensor:
        return torch.stack([laboratory.noise(stream, shape, index, p) for p in pictures])

    return noise


def no_noise(index: int) -> Tensor:
    """For samplers that draw none."""
    raise AssertionError(f"a deterministic sampler asked for noise at step {index}")


@torch.inference_mode()
def all_steps(
    denoiser: Denoiser,
    x_start: Tensor,
    times: list[float],
    sampler: Sampler,
    noise: Noise = no_noise,
) -> list[Step]:
    """Every step of a walk from x_start [B, ...]."""
    return list(walk(denoiser, x_start, times, sampler, noise))


@torch.inference_mode()
def end_of_walk(
    denoiser: Denoiser,
    x_start: Tensor,
    times: list[float],
    sampler: Sampler,
    noise: Noise = no_noise,
) -> Tensor:
    """Where a walk from x_start [B, ...] ends, shaped as x_start; only one step is kept."""
    for step in walk(denoiser, x_start, times, sampler, noise):  # noqa: B007
        pass
    return step.x_next


def rms(difference: Tensor) -> Tensor:
    """The root mean square of each picture's values: [B, ...] -> [B]."""
    return difference.flatten(1).square().mean(dim=1).sqrt()
