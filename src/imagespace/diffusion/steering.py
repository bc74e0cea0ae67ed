"""Steering wraps a denoiser: its answer is moved until what is measured on it is as wanted.

Guidance by an attribute a(x_0), with other attributes held. The answer of the wrapped denoiser is
the mean of the clean pictures that x_t may come from. If they scatter about it with covariance M,
their mean among those with a(x_0) = target is, to first order,

    x0_hat + M J^T (J M J^T)^{-1} (target - a(x0_hat)),      J = da/dx_0

(the update of a Kalman filter), repeated because a bends. Of pixels M = S B S: neighbours move
together (B is a small blur), and S is diagonal with S^2 = (1 - x0_hat)(1 + x0_hat), the largest
variance that values between -1 and 1 with this mean can have (Bhatia & Davis 2000): white paper and
black ink stay as they are, and what is still undecided moves. Of latents, which have no bounds and
whose neighbours are decoded together, M = I.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser

MOST_UPDATES = 6
# In units; a picture whose measures are this close to their targets is left alone.
CLOSE_ENOUGH = 0.01
# Least variance of a pixel, so that a picture that is black and white throughout can move as well.
LEAST_VARIANCE = 1e-3
# Of the mean of J M J^T's diagonal: attributes that cannot be moved apart are moved together.
RIDGE = 1e-3

# Noise share below which answers stand as they are: the network cleans what steering leaves, and
# what is measured hardly moves any more (docs/axes.md).
LAST_STEERED_SHARE = 0.1

Measure = Callable[[Tensor], Tensor]
"""Takes samples [B, ...] to what is measured on them [B, K], differentiably."""


class Steering(Denoiser):
    """x0_hat moved so that `measure(x0_hat)` lies between two bounds of its time, [B, K] each.

    `lows` and `highs` [T, B, K] belong to falling `times` [T]; between them they are interpolated.
    Below a noise share of 0.1 nothing is moved.

    An attribute that is moved has equal bounds, one that is held has some slack. `units` [K] scales
    the measures against one another. `are_pixels` says which covariance M is.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        measure: Measure,
        times: Sequence[float],
        bounds: tuple[Tensor, Tensor],
        units: Tensor,
        are_pixels: bool,
    ) -> None:
        if list(times) != sorted(times, reverse=True) or len(times) != len(bounds[0]):
            raise ValueError("bounds belong to falling times, one each")
        self.schedule = denoiser.schedule
        self.denoiser, self.measure, self.units = denoiser, measure, units
        self.times, self.bounds, self.are_pixels = torch.tensor(times), bounds, are_pixels

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        time = float(t.flatten()[0])
        if float(self.schedule.noise_share(t.flatten()[0])) < LAST_STEERED_SHARE:
            return self.denoiser(x_t, t)
        low, high = (interpolated(self.times, bound, time) for bound in self.bounds)
        x_0 = self.denoiser(x_t, t)
        # The walk runs in inference mode, whose tensors have no gradients.
        with torch.inference_mode(False):
            x_0, low, high = x_0.clone(), low.clone(), high.clone()
            for _ in range(MOST_UPDATES):
                measured, slopes = self._measured(x_0)
                missing = (measured.clamp(low, high) - measured) / self.units
                is_off = missing.abs().amax(dim=1) > CLOSE_ENOUGH
                if not is_off.any():
                    break
                # Each picture by itself: what stands beside it in the batch changes nothing.
                missing = missing * is_off[:, None]
                x_0 = self._moved(x_0, slopes, missing)
        return x_0

    def _measured(self, x_0: Tensor) -> tuple[Tensor, Tensor]:
        """a(x_0) [B, K] and its slopes J in units, [B, K, ...]."""
        with torch.enable_grad():
            x_0 = x_0.detach().requires_grad_()
            measured = self.measure(x_0)
            rows = [
                torch.autograd.grad(measured[:, k].sum(), x_0, retain_graph=True)[0] / unit
                for k, unit in enumerate(self.units)
            ]
        return measured.detach(), torch.stack(rows, dim=1)

    def _moved(self, x_0: Tensor, slopes: Tensor, missing: Tensor) -> Tensor:
        """x_0 + M J^T (J M J^T)^{-1} missing, for slopes J [B, K, ...] and missing [B, K]."""
        ways = slopes
        if self.are_pixels:
            scale = (1 - x_0.square()).clamp(min=LEAST_VARIANCE).sqrt()[:, None]
            ways = scale * _blurred(scale * slopes)
        gram = ways.flatten(2) @ slopes.flatten(2).transpose(1, 2)  # J M J^T [B, K, K]
        ridge = RIDGE * gram.diagonal(dim1=1, dim2=2).mean(dim=1).clamp(min=1e-12)
        gram = gram + ridge[:, None, None] * torch.eye(gram.shape[1], dtype=gram.dtype)
        gains = torch.linalg.solve(gram, missing[:, :, None])
        x_0 = x_0 + (ways.flatten(2) * gains).sum(dim=1).reshape(x_0.shape)
        return x_0.clamp(-1, 1) if self.are_pixels else x_0


def interpolated(times: Tensor, values: Tensor, t: float) -> Tensor:
    """Values [T, ...] at falling `times` [T], at time t; before the first time as at it."""
    after = int((times > t).sum())
    if after in (0, len(times)):
        return values[max(0, after - 1)]
    earlier, later = float(times[after - 1]), float(times[after])
    return torch.lerp(values[after - 1], values[after], (earlier - t) / (earlier - later))


def _blurred(x: Tensor) -> Tensor:
    """x [B, K, C, H, W] convolved with (1 2 1)/4 twice in either direction, a symmetric map.

    Beyond the border there is nothing: mirrored or repeated pixels would break the symmetry.
    """
    for axis in (-2, -1):
        margin = (2, 2, 0, 0) if axis == -1 else (0, 0, 2, 2)
        size, padded = x.shape[axis], F.pad(x, margin)
        parts = [padded.narrow(axis, shift, size) for shift in range(5)]
        x = (parts[0] + parts[4] + 4 * (parts[1] + parts[3]) + 6 * parts[2]) / 16
    return x
