"""Gradient ascent on log p_t at one fixed time: what a walk is sometimes taken for."""

import torch
from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser


def ascent(denoiser: Denoiser, x: Tensor, time: float, size: float, num_steps: int) -> list[Tensor]:
    """x and the points after each x <- x + size sigma_t^2 score(x, t), without noise.

    Each is shaped as x [B, ...]. In units of sigma_t^2 a size below 1 climbs at every step where
    the density is no narrower than its noise, as p_t never is.
    """
    t = x.new_tensor(time)
    length = size * denoiser.schedule.sigma(t).square()
    points = [x]
    with torch.inference_mode():
        for _ in range(num_steps):
            points.append(points[-1] + length * denoiser.score(points[-1], t))
    return points
