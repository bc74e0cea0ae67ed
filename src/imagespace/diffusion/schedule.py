"""Schedules: how a clean picture turns into noise, `x_t = alpha_t x_0 + sigma_t eps`.

Time t runs from 0 (clean picture) to 1 (pure noise). `sigma_t` is a scale, never a time.
"""

import math
from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor

ScheduleName = Literal["rectified_flow", "ddpm_linear", "cosine", "edm"]


# Where a schedule ends without signal, reading x0 off a noise prediction would divide a network's
# error by 0: there the signal is taken to end at EDM's largest noise-to-signal ratio.
SMALLEST_SIGNAL = 1 / 80


class Schedule(ABC):
    """Signal and noise scales as functions of time; all tensors broadcast, float32."""

    smallest_signal = 0.0
    """Alpha is taken as no less than this where x0 is read off a noise prediction."""

    @abstractmethod
    def alpha(self, t: Tensor) -> Tensor:
        """Scale of the clean picture at time t."""

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor:
        """Scale of the noise at time t."""

    @abstractmethod
    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Time derivatives (alpha'_t, sigma'_t)."""

    @abstractmethod
    def time_at(self, ratio: Tensor) -> Tensor:
        """The time at which sigma_t / alpha_t is `ratio` >= 0: the inverse of `ratio`."""

    def ratio(self, t: Tensor) -> Tensor:
        """sigma_t / alpha_t, the noise on a picture of unit scale: EDM's sigma; may be infinite."""
        return self.sigma(t) / self.alpha(t)

    def time_of_share(self, share: Tensor) -> Tensor:
        """The time at which sigma / (alpha + sigma), the share of noise, is `share` in [0, 1].

        On the rectified flow it is `share` itself: times that are meant for any schedule (bands,
        intervals, strengths) are given as shares.
        """
        return self.time_at(share / (1 - share)).clamp(max=1)

    def noise_share(self, t: Tensor) -> Tensor:
        """sigma / (alpha + sigma): the inverse of `time_of_share`."""
        return self.sigma(t) / (self.alpha(t) + self.sigma(t))

    def log_snr_half(self, t: Tensor) -> Tensor:
        """lambda_t = log(alpha_t / sigma_t), the clock of DPM-Solver (arXiv 2206.00927)."""
        return self.alpha(t).log() - self.sigma(t).log()

    def network_input(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """(x_t, t) as a network is shown them; a schedule that leaves the unit scale rescales."""
        return x_t, t

    def add_noise(self, x_0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """x_t = alpha_t x_0 + sigma_t eps for x_0, eps [B, ...] and t [B]."""
        t = per_picture(t, x_0)
        return self.alpha(t) * x_0 + self.sigma(t) * eps


class RectifiedFlow(Schedule):
    """alpha_t = 1 - t, sigma_t = t: straight lines (arXiv 2209.03003, 2210.02747)."""

    smallest_signal = SMALLEST_SIGNAL

    def alpha(self, t: Tensor) -> Tensor:
        return 1 - t

    def sigma(self, t: Tensor) -> Tensor:
        return t

    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return -torch.ones_like(t), torch.ones_like(t)

    def time_at(self, ratio: Tensor) -> Tensor:
        return 1 / (1 + 1 / ratio)  # right at 0 and at infinity too


class DDPMLinear(Schedule):
    """alpha_t = sqrt(abar_t), sigma_t = sqrt(1 - abar_t) with linear betas (arXiv 2006.11239).

    abar at step n of N is the product of (1 - beta_i) for i <= n, beta from 1e-4 to 0.02; t = n / N
    and log abar is linear between steps, so that n = 0 is the clean picture.
    """

    def __init__(
        self, num_steps: int = 1000, beta_first: float = 1e-4, beta_last: float = 0.02
    ) -> None:
        beta = torch.linspace(beta_first, beta_last, num_steps, dtype=torch.float64)
        self.num_steps = num_steps
        self.log_abar = torch.cat([torch.zeros(1, dtype=torch.float64), (1 - beta).log().cumsum(0)])

    def _log_abar_and_slope(self, t: Tensor) -> tuple[Tensor, Tensor]:
        position = t.double() * self.num_steps
        below = position.floor().clamp(0, self.num_steps - 1).long()
        log_abar = self.log_abar.to(t.device)
        slope = log_abar[below + 1] - log_abar[below]
        return log_abar[below] + slope * (position - below), slope * self.num_steps

    def alpha(self, t: Tensor) -> Tensor:
        return (0.5 * self._log_abar_and_slope(t)[0]).exp().to(t.dtype)

    def sigma(self, t: Tensor) -> Tensor:
        return (-torch.expm1(self._log_abar_and_slope(t)[0])).sqrt().to(t.dtype)

    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        log_abar, slope = self._log_abar_and_slope(t)
        alpha, sigma = (0.5 * log_abar).exp(), (-torch.expm1(log_abar)).sqrt()
        # d alpha = alpha/2 dlog(abar); d sigma = -alpha^2 / (2 sigma) dlog(abar).
        return (
            (0.5 * alpha * slope).to(t.dtype),
            (-0.5 * alpha.square() * slope / sigma.clamp(min=1e-8)).to(t.dtype),
        )

    def time_at(self, ratio: Tensor) -> Tensor:
        # 1 / abar = 1 + ratio^2; the table falls, searchsorted wants it rising.
        log_abar, table = -torch.log1p(ratio.double().square()), self.log_abar.to(ratio.device)
        after = torch.searchsorted(-table, -log_abar).clamp(1, self.num_steps)
        before = after - 1
        share = (log_abar - table[before]) / (table[after] - table[before])
        return ((before + share.clamp(0, 1)) / self.num_steps).to(ratio.dtype)


class Cosine(Schedule):
    """alpha_t = cos(pi t / 2), sigma_t = sin(pi t / 2) (arXiv 2102.09672 without its offset)."""

    smallest_signal = SMALLEST_SIGNAL

    def alpha(self, t: Tensor) -> Tensor:
        # cos(pi / 2) is -4e-8 in float32: a scale is never negative.
        return torch.cos(t * torch.pi / 2).clamp(min=0)

    def sigma(self, t: Tensor) -> Tensor:
        return torch.sin(t * torch.pi / 2)

    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        half = torch.pi / 2
        return -half * torch.sin(t * half), half * torch.cos(t * half)

    def time_at(self, ratio: Tensor) -> Tensor:
        return torch.atan(ratio) * 2 / torch.pi


class EDM(Schedule):
    """alpha_t = 1, sigma_t = 80 t: noise is added and nothing fades (arXiv 2206.00364).

    Sigma itself is EDM's time; ours is its share of the largest. A network is shown
    c_in x_t = x_t / sqrt(sigma_data^2 + sigma^2), and log sigma scaled to [0, 1] as its time.
    """

    sigma_min, sigma_max, sigma_data = 0.002, 80.0, 0.5

    def alpha(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def sigma(self, t: Tensor) -> Tensor:
        return self.sigma_max * t

    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(t), torch.full_like(t, self.sigma_max)

    def time_at(self, ratio: Tensor) -> Tensor:
        return ratio / self.sigma_max

    def network_input(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        sigma = self.sigma(t)
        low, high = math.log(self.sigma_min), math.log(self.sigma_max)
        log_sigma = sigma.clamp(min=self.sigma_min).log()
        scale = (self.sigma_data**2 + per_picture(sigma, x_t).square()).rsqrt()
        return scale * x_t, (log_sigma - low) / (high - low)


def per_picture(t: Tensor, like: Tensor) -> Tensor:
    """Shapes a time [B] so that it broadcasts over pictures [B, ...]; a scalar stays as it is."""
    return t.reshape(-1, *[1] * (like.dim() - 1)) if t.dim() else t


SCHEDULES: dict[ScheduleName, type[Schedule]] = {
    "rectified_flow": RectifiedFlow,
    "ddpm_linear": DDPMLinear,
    "cosine": Cosine,
    "edm": EDM,
}
