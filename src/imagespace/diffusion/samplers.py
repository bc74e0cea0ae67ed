"""Samplers: how to take one step of the walk from time t to an earlier time.

A sampler is a class with `step`; `walk` drives it and yields a `Step` each time. Every sampler
sees only x0_hat, so that any schedule, prediction and guidance works with any of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser, noise_from_x0, velocity_from_x0

Noise = Callable[[int], Tensor]
"""Fresh standard normal noise, shaped as x_t, for step `index`."""

SamplerName = Literal["ddpm", "ddim", "euler", "heun", "dpmpp_2m"]


@dataclass(frozen=True)
class Step:
    """One step of a walk: where it stood, what it saw, where it went; tensors [B, C, H, W]."""

    index: int
    num_steps: int
    t: float
    x_t: Tensor
    x0_hat: Tensor
    t_next: float
    x_next: Tensor


class Sampler(ABC):
    """One step of a numerical method for the reverse process; a new instance for every walk."""

    @abstractmethod
    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Tensor, t_next: Tensor, index: int, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        """(x_next, x0_hat) for scalar times t > t_next."""


class DDIM(Sampler):
    """x_next = alpha_next x0_hat + sigma_next eps_hat, plus eta of noise (arXiv 2010.02502).

    With eta > 0, s = eta sigma_next sqrt(1 - (alpha_t sigma_next / (alpha_next sigma_t))^2) of the
    noise is drawn afresh and eps_hat keeps sqrt(sigma_next^2 - s^2).
    """

    def __init__(self, eta: float = 0.0) -> None:
        self.eta = eta

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Tensor, t_next: Tensor, index: int, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        schedule = denoiser.schedule
        x0_hat = denoiser(x_t, t)
        eps_hat = noise_from_x0(x0_hat, x_t, t, schedule)
        alpha, alpha_next = schedule.alpha(t), schedule.alpha(t_next)
        sigma, sigma_next = schedule.sigma(t), schedule.sigma(t_next)
        if self.eta == 0 or sigma_next == 0:
            return alpha_next * x0_hat + sigma_next * eps_hat, x0_hat
        ratio = (alpha * sigma_next / (alpha_next * sigma)).square().clamp(max=1)
        fresh = self.eta * sigma_next * (1 - ratio).sqrt()
        kept = (sigma_next.square() - fresh.square()).clamp(min=0).sqrt()
        return alpha_next * x0_hat + kept * eps_hat + fresh * noise(index), x0_hat


class DDPM(DDIM):
    """The ancestral sampler (arXiv 2006.11239): DDIM with all of its noise, eta = 1.

    Draws exactly from q(x_next | x_t, x_0 = x0_hat), the posterior with beta-tilde variance.
    """

    def __init__(self) -> None:
        super().__init__(eta=1.0)


class Euler(Sampler):
    """x_next = x_t + (t_next - t) dx/dt, first order on the probability flow."""

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Tensor, t_next: Tensor, index: int, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        x0_hat = denoiser(x_t, t)
        return x_t + (t_next - t) * velocity_from_x0(x0_hat, x_t, t, denoiser.schedule), x0_hat


class Heun(Sampler):
    """Euler, then the mean of the slopes at both ends: second order (arXiv 2206.00364, alg. 1).

    The last step, to t = 0, stays Euler: the slope there is not defined.
    """

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Tensor, t_next: Tensor, index: int, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        x0_hat = denoiser(x_t, t)
        slope = velocity_from_x0(x0_hat, x_t, t, denoiser.schedule)
        x_euler = x_t + (t_next - t) * slope
        if t_next == 0:
            return x_euler, x0_hat
        slope_next = velocity_from_x0(denoiser(x_euler, t_next), x_euler, t_next, denoiser.schedule)
        return x_t + (t_next - t) * 0.5 * (slope + slope_next), x0_hat


class DPMSolverPP2M(Sampler):
    """DPM-Solver++(2M): second-order multistep in lambda = log(alpha/sigma) (arXiv 2211.01095).

    x_next = sigma_next/sigma_t x_t - alpha_next (e^{-h} - 1) D with h = lambda_next - lambda_t
    and D = (1 + 1/(2r)) x0_hat - 1/(2r) x0_hat_previous, r = h_previous / h. First order where
    lambda is infinite: at pure noise of the rectified flow, and on arrival.
    """

    def __init__(self) -> None:
        self.previous: tuple[Tensor, Tensor] | None = None  # (lambda, x0_hat)

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Tensor, t_next: Tensor, index: int, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        schedule = denoiser.schedule
        x0_hat = denoiser(x_t, t)
        now, then = schedule.log_snr_half(t), schedule.log_snr_half(t_next)
        extrapolated = x0_hat
        if self.previous is not None:
            before, x0_before = self.previous
            if torch.isfinite(before) and torch.isfinite(then):
                half_inverse_r = 0.5 * (then - now) / (now - before)
                extrapolated = x0_hat + half_inverse_r * (x0_hat - x0_before)
        self.previous = (now, x0_hat)
        # alpha_next e^{-h} = alpha_t sigma_next / sigma_t stays finite where lambda is not.
        shrink = schedule.sigma(t_next) / schedule.sigma(t)
        pull = schedule.alpha(t_next) - schedule.alpha(t) * shrink
        return shrink * x_t + pull * extrapolated, x0_hat


SAMPLERS: dict[SamplerName, type[Sampler]] = {
    "ddpm": DDPM,
    "ddim": DDIM,
    "euler": Euler,
    "heun": Heun,
    "dpmpp_2m": DPMSolverPP2M,
}


def step_times(num_steps: int, shift: float = 1.0) -> list[float]:
    """Times from 1 to 0, num_steps + 1 of them; shift > 1 spends more steps near noise.

    t = s u / (1 + (s - 1) u) for uniform u (arXiv 2403.03206, eq. 23); s = 1 is uniform.
    """
    uniform = [1 - i / num_steps for i in range(num_steps + 1)]
    return [shift * u / (1 + (shift - 1) * u) for u in uniform]


def walk(
    denoiser: Denoiser, x_start: Tensor, times: list[float], sampler: Sampler, noise: Noise
) -> Iterator[Step]:
    """Walks from x_start [B, C, H, W] at times[0] to times[-1], yielding every step."""
    x_t = x_start
    for index, (t, t_next) in enumerate(pairwise(times)):
        x_next, x0_hat = sampler.step(
            denoiser, x_t, torch.tensor(t), torch.tensor(t_next), index, noise
        )
        yield Step(index, len(times) - 1, t, x_t, x0_hat, t_next, x_next)
        x_t = x_next
