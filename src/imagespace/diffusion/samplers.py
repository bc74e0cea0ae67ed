"""Samplers: how to take one step of the walk from time t to an earlier time.

A sampler is a class with `step`; `walk` drives it and yields a `Step` each time. Every sampler
sees only x0_hat, so that any schedule, prediction and guidance works with any of them.
"""

import math
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

SamplerName = Literal[
    "ddpm",
    "ddim",
    "euler",
    "euler_ancestral",
    "heun",
    "dpmpp_2m",
    "dpmpp_2m_sde",
    "rk45",
    "langevin",
]


@dataclass(frozen=True)
class Step:
    """One step of a walk: where it stood, what it saw, where it went; tensors [B, ...]."""

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
    noise is drawn afresh and eps_hat keeps sqrt(sigma_next^2 - s^2). With eta = 0 the step also
    runs backwards, towards noise.
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

    Draws exactly from q(x_next | x_t, x_0 = x0_hat), the posterior with beta-tilde variance. Euler
    ancestral, written in z = x / alpha and r = sigma / alpha as an Euler step down to
    r_down = sqrt(r_next^2 - r_up^2) and noise r_up = r_next sqrt(1 - (r_next / r)^2), is this step.
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
    """DPM-Solver++(2M) (arXiv 2211.01095) and, with eta > 0, its SDE form (SDE-DPM-Solver++).

    Second-order multistep in lambda = log(alpha/sigma). With h = lambda_next - lambda_t,
    r = h_previous / h and D = x0_hat + (x0_hat - x0_hat_previous) / (2r),

        x_next = sigma_next/sigma_t e^{-eta h} x_t + alpha_next (1 - e^{-(1 + eta) h}) D
                 + sigma_next sqrt(1 - e^{-2 eta h}) noise

    First order where lambda is infinite: at pure noise of the rectified flow, and on arrival.
    """

    def __init__(self, eta: float = 0.0) -> None:
        self.eta = eta
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
        shrink = schedule.sigma(t_next) / schedule.sigma(t)
        # e^{-h}, which stays finite where lambda is not.
        decay = shrink * schedule.alpha(t) / schedule.alpha(t_next)
        pull = schedule.alpha(t_next) * (1 - decay ** (1 + self.eta))
        x_next = shrink * decay**self.eta * x_t + pull * extrapolated
        if self.eta > 0 and t_next > 0:
            fresh = schedule.sigma(t_next) * (1 - decay ** (2 * self.eta)).sqrt()
            x_next = x_next + fresh * noise(index)
        return x_next, x0_hat


class DPMSolverPP2MSDE(DPMSolverPP2M):
    """The SDE form of DPM-Solver++(2M) with all of its noise, eta = 1."""

    def __init__(self) -> None:
        super().__init__(eta=1.0)


class RungeKutta45(Sampler):
    """The reference: Dormand-Prince 5(4) on the probability flow, as many substeps as it takes.

    A substep whose two solutions, of order 5 and 4, differ by more than `tolerance` (relative to
    1 + |x|, root mean square of the worst picture) is shortened and repeated (Hairer et al. 1993,
    II.4 and II.5); so a picture depends on its batch, within the tolerance. The flow's slope is
    undefined at t = 0: the walk stops short of it by `last_time` and takes x0_hat.
    """

    NODES = (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0)
    STAGES = (
        (),
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    )
    FIFTH = (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)
    # Fifth minus fourth order; the seventh stage is the slope at the end.
    DIFFERENCE = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)

    def __init__(self, tolerance: float = 1e-4, last_time: float = 1e-4) -> None:
        self.tolerance, self.last_time = tolerance, last_time
        self.size: float | None = None  # the last accepted substep

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Tensor, t_next: Tensor, index: int, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        x, now, goal = x_t, float(t), max(float(t_next), self.last_time)
        first = denoiser(x_t, t)
        size = self.size or abs(goal - now)
        while abs(goal - now) > 1e-12:
            h = math.copysign(min(size, abs(goal - now)), goal - now)
            x_new, error = self._substep(denoiser, x, now, h)
            if error <= 1:
                x, now, self.size = x_new, now + h, size
            size = abs(h) * min(5.0, max(0.2, 0.9 * (error + 1e-10) ** -0.2))
            if size < 1e-9:
                raise ArithmeticError(f"rk45: no step at t = {now} reaches {self.tolerance}")
        return (denoiser(x, t.new_tensor(goal)) if t_next == 0 else x), first

    def _substep(self, denoiser: Denoiser, x: Tensor, now: float, h: float) -> tuple[Tensor, float]:
        """The fifth-order solution after h, and its error in units of the tolerance."""

        def slope(point: Tensor, share: float) -> Tensor:
            return denoiser.velocity(point, x.new_tensor(now + share * h))

        slopes: list[Tensor] = []
        for share, weights in zip(self.NODES, self.STAGES, strict=True):
            moved = sum((w * k for w, k in zip(weights, slopes, strict=True)), torch.zeros(()))
            slopes.append(slope(x + h * moved, share))
        x_new = x + h * sum(w * k for w, k in zip(self.FIFTH, slopes, strict=True))
        slopes.append(slope(x_new, 1.0))
        difference = h * sum(w * k for w, k in zip(self.DIFFERENCE, slopes, strict=True))
        scaled = difference / (self.tolerance * (1 + x_new.abs()))
        return x_new, float(scaled.square().flatten(1).mean(dim=1).max().sqrt())


class Langevin(Sampler):
    """Annealed Langevin: gradient ascent on log p_t plus noise, then the flow to t_next.

    x <- x + d score(x) + temperature sqrt(2 d) noise with d = 2 (step_size sigma_t)^2 (arXiv
    1907.05600, algorithm 1; d as in 2011.13456, algorithm 4), `temperature` 0 being plain gradient
    ascent; the flow's part is DDIM's.
    """

    def __init__(self, step_size: float = 0.16, temperature: float = 1.0) -> None:
        self.step_size, self.temperature = step_size, temperature
        self.flow = DDIM()

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Tensor, t_next: Tensor, index: int, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        step_size = 2 * (self.step_size * denoiser.schedule.sigma(t)).square()
        climbed = x_t + step_size * denoiser.score(x_t, t)
        if self.temperature > 0:
            climbed = climbed + self.temperature * (2 * step_size).sqrt() * noise(index)
        return self.flow.step(denoiser, climbed, t, t_next, index, noise)


SAMPLERS: dict[SamplerName, type[Sampler]] = {
    "ddpm": DDPM,
    "ddim": DDIM,
    "euler": Euler,
    "euler_ancestral": DDPM,
    "heun": Heun,
    "dpmpp_2m": DPMSolverPP2M,
    "dpmpp_2m_sde": DPMSolverPP2MSDE,
    "rk45": RungeKutta45,
    "langevin": Langevin,
}
SAMPLERS_WITH_ETA: dict[SamplerName, Callable[[float], Sampler]] = {
    "ddim": DDIM,
    "dpmpp_2m_sde": DPMSolverPP2M,
}
DETERMINISTIC: tuple[SamplerName, ...] = ("ddim", "euler", "heun", "dpmpp_2m", "rk45")
"""Those that follow the probability flow and draw no noise (ddim at eta = 0)."""


def walk(
    denoiser: Denoiser, x_start: Tensor, times: list[float], sampler: Sampler, noise: Noise
) -> Iterator[Step]:
    """Walks from x_start [B, ...] at times[0] to times[-1], yielding every step.

    The times fall when drawing; the one-step methods without noise also walk rising times, from
    a picture to its noise.
    """
    x_t = x_start
    for index, (t, t_next) in enumerate(pairwise(times)):
        x_next, x0_hat = sampler.step(
            denoiser, x_t, x_t.new_tensor(t), x_t.new_tensor(t_next), index, noise
        )
        yield Step(index, len(times) - 1, t, x_t, x0_hat, t_next, x_next)
        x_t = x_next
