"""Inversion: the walk backwards, from a picture to the noise that redraws it."""

import math

import torch
from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser
from imagespace.diffusion.samplers import DDIM, Noise, Sampler
from imagespace.diffusion.schedule import Schedule
from imagespace.diffusion.spacing import LARGEST_RATIO

# Below this noise-to-signal ratio a network's answers are too coarse to lead back to plausible
# noise: the flow is entered there, with known noise (docs/experiments.md).
ENTRY_RATIO = 0.1


class InverseDDIM(Sampler):
    """The point at the later time t_next from which one DDIM step returns to x_t.

    Solves x_t = alpha_t D(y) + sigma_t eps_hat(y) for y at t_next by fixed-point iteration,

        y <- sigma_next / sigma_t (x_t - (alpha_t - alpha_next sigma_t / sigma_next) D(y, t_next)),

    from the explicit step (the inversion of arXiv 2105.05233, which is inexact) until y moves by
    less than `tolerance` of the noise there. Contracts where steps are short against their noise
    level, as those of `inversion_times` are.
    """

    def __init__(self, tolerance: float = 1e-4, max_iterations: int = 15) -> None:
        self.tolerance, self.max_iterations = tolerance, max_iterations

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Tensor, t_next: Tensor, index: int, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        schedule = denoiser.schedule
        sigma_next = schedule.sigma(t_next)
        growth = sigma_next / schedule.sigma(t)
        pull = schedule.alpha(t) - schedule.alpha(t_next) / growth
        y, x0_hat = DDIM().step(denoiser, x_t, t, t_next, index, noise)
        for _ in range(self.max_iterations):
            x0_hat, before = denoiser(y, t_next), y
            y = growth * (x_t - pull * x0_hat)
            moved = (y - before).square().flatten(1).mean(dim=1).max().sqrt()
            if moved < self.tolerance * sigma_next:
                break
        return y, x0_hat


def inversion_times(num_steps: int, schedule: Schedule) -> list[float]:
    """Falling times from pure noise to the flow's entry, num_steps + 1, evenly in log ratio."""
    span = torch.linspace(0, 1, num_steps + 1, dtype=torch.float64)
    high, low = math.log(LARGEST_RATIO), math.log(ENTRY_RATIO)
    return [1.0, *schedule.time_at((high + span * (low - high)).exp()).tolist()[1:]]
