"""Exact denoisers: distributions whose way back is known, the oracles of the tests and the lab."""

import math

import torch
from torch import Tensor

from imagespace.diffusion.denoiser import SMALLEST_SCALE, Denoiser
from imagespace.diffusion.schedule import Schedule


class ExactMixture(Denoiser):
    """The exact denoiser of sum_k p_k N(mean_k, std_k^2 I).

    At time t each component is N(alpha mean_k, v_k I) with v_k = alpha^2 std_k^2 + sigma^2, and

        x0_hat = sum_k r_k(x_t) [mean_k + alpha std_k^2 / v_k (x_t - alpha mean_k)]

    with r_k the posterior probability of component k. `means` [K, ...], `stds` and
    `probabilities` [K].
    """

    def __init__(
        self,
        schedule: Schedule,
        means: Tensor,
        stds: Tensor,
        probabilities: Tensor | None = None,
    ) -> None:
        self.schedule, self.means, self.stds = schedule, means, stds
        equal = torch.ones_like(stds)
        weights = equal if probabilities is None else probabilities
        self.log_probabilities = (weights / weights.sum()).log()

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        alpha, variances = self.schedule.alpha(t), self._variances(t)
        responsibilities = self._joint_log_density(x_t, t).softmax(dim=1)  # [B, K]
        gains = alpha * self.stds.square() / variances  # [K]
        flat = self.means.flatten(1)
        from_means = (responsibilities * (1 - alpha * gains)) @ flat
        from_point = (responsibilities @ gains)[:, None] * x_t.flatten(1)
        return (from_means + from_point).reshape(x_t.shape)

    def log_density(self, x_t: Tensor, t: Tensor) -> Tensor:
        """log p_t(x_t) in nats [B]."""
        return self._joint_log_density(x_t, t).logsumexp(dim=1)

    def component(self, x_t: Tensor, t: Tensor) -> Tensor:
        """The most probable component of each x_t, int64 [B]."""
        return self._joint_log_density(x_t, t).argmax(dim=1)

    def sample(self, num: int, random: torch.Generator) -> Tensor:
        """Points [num, ...] of the clean distribution."""
        chosen = torch.multinomial(
            self.log_probabilities.exp(), num, replacement=True, generator=random
        )
        means = self.means[chosen]
        eps = torch.randn(means.shape, generator=random, dtype=means.dtype)
        return means + self.stds[chosen].reshape(-1, *[1] * (means.dim() - 1)) * eps

    def _variances(self, t: Tensor) -> Tensor:
        sigma = self.schedule.sigma(t).clamp(min=SMALLEST_SCALE)
        return (self.schedule.alpha(t) * self.stds).square() + sigma.square()

    def _joint_log_density(self, x_t: Tensor, t: Tensor) -> Tensor:
        """log p_k N(x_t; alpha mean_k, v_k I) as [B, K]."""
        flat = self.means.flatten(1)
        # The direct distance: |a|^2 - 2 a.b + |b|^2 loses the digits that decide near t = 0.
        squared = torch.cdist(
            x_t.flatten(1),
            self.schedule.alpha(t) * flat,
            compute_mode="donot_use_mm_for_euclid_dist",
        ).square()
        variances = self._variances(t)
        normaliser = 0.5 * flat.shape[1] * (2 * math.pi * variances).log()
        return self.log_probabilities - normaliser - squared / (2 * variances)


class ExactGaussian(ExactMixture):
    """The exact denoiser of N(mean, std^2 I) for one mean [...]."""

    def __init__(self, schedule: Schedule, mean: Tensor, std: float) -> None:
        super().__init__(schedule, mean[None], torch.tensor([std], dtype=mean.dtype))


class ExactPictures(ExactMixture):
    """The exact denoiser of a finite set of pictures [N, ...]: their posterior mean.

    A walk along it can only end at one of the pictures: it is what a network that memorised
    everything would do.
    """

    def __init__(self, schedule: Schedule, pictures: Tensor) -> None:
        super().__init__(schedule, pictures, torch.zeros(len(pictures), dtype=pictures.dtype))
