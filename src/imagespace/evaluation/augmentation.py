"""Small random changes of shape that leave a picture's meaning alone."""

import torch
import torch.nn.functional as F
from torch import Tensor


def uniform(shape: tuple[int, ...], low: float, high: float, random: torch.Generator) -> Tensor:
    """Uniform draws in [low, high)."""
    return low + (high - low) * torch.rand(shape, generator=random)


def deform(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Shift, scale, shear and bend each of the pictures [N, C, S, S] at random; 0 lies outside."""
    n, size_px = len(pictures), pictures.shape[-1]
    affine = torch.zeros(n, 2, 3)
    affine[:, 0, 0] = uniform((n,), 0.89, 1.13, random)
    affine[:, 1, 1] = uniform((n,), 0.89, 1.13, random)
    affine[:, 0, 1] = uniform((n,), -0.07, 0.07, random)
    affine[:, 1, 0] = uniform((n,), -0.07, 0.07, random)
    affine[:, :, 2] = uniform((n, 2), -0.09, 0.09, random)
    grid = F.affine_grid(affine, list(pictures.shape), align_corners=False)
    bend = 0.025 * torch.randn(n, 2, 6, 6, generator=random)
    bend = F.interpolate(bend, size_px, mode="bilinear", align_corners=True)
    return F.grid_sample(pictures, grid + bend.permute(0, 2, 3, 1), align_corners=False)
