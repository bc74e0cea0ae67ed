"""Moves pictures as the labels of their changes say: shifted, scaled, mirrored."""

import torch
import torch.nn.functional as F
from torch import Tensor

LARGEST_SHIFT = 0.125  # of the side
LARGEST_SCALE = 0.15  # of the logarithm


def moved(pictures: Tensor, labels: Tensor) -> Tensor:
    """Pictures [B, C, H, W] of any size, moved; what enters from outside continues the edge.

    The first four labels [B, 4 or more] are the shifts right and down and the scale, each in
    [-1, 1] of the largest, and 1 for a mirrored picture.
    """
    right, down, log_scale, flip = labels[:, :4].unbind(1)
    zoom = torch.exp(-LARGEST_SCALE * log_scale)
    across = torch.where(flip > 0, -zoom, zoom)
    # The grid says where each output pixel is read; the picture is 2 wide in its units.
    shift_x, shift_y = -2 * LARGEST_SHIFT * right * across, -2 * LARGEST_SHIFT * down * zoom
    none = torch.zeros_like(zoom)
    affine = torch.stack([across, none, shift_x, none, zoom, shift_y], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(affine, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
