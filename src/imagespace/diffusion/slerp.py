"""Spherical interpolation: between two noises there is noise, not the grey of their mean."""

import torch
from torch import Tensor

# Nearer than this to one line, in radians, the arc is its chord.
SMALLEST_ANGLE = 1e-4


def slerp(first: Tensor, second: Tensor, share: Tensor | float) -> Tensor:
    """The point at `share` of the arc from `first` to `second` [B, ...], picture by picture.

    With a and b of length 1 and the angle theta between them, the direction is

        sin((1 - s) theta) / sin(theta) a + sin(s theta) / sin(theta) b

    (Shoemake 1985), and the norm goes evenly from one to the other. Noises of d values all have
    a norm near sqrt(d); halfway along a straight line it would be sqrt(d / 2), which no noise has.
    share [B] or a number in [0, 1]; 0 and 1 give the ends bit for bit. Errors: ValueError for
    opposite directions, between which there is no one arc.
    """
    a, b = first.double().flatten(1), second.double().flatten(1)
    s = torch.as_tensor(share, dtype=torch.float64).expand(len(a)).unsqueeze(1)
    norm_a, norm_b = a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True)
    tiny = torch.finfo(torch.float64).tiny
    unit_a, unit_b = a / norm_a.clamp(min=tiny), b / norm_b.clamp(min=tiny)
    # The arc cosine of the inner product would lose half of the digits of a small angle.
    theta = 2 * torch.atan2(
        (unit_a - unit_b).norm(dim=1, keepdim=True), (unit_a + unit_b).norm(dim=1, keepdim=True)
    )
    if bool((theta > torch.pi - SMALLEST_ANGLE).any()):
        raise ValueError("two opposite directions have no one arc between them")
    sine = theta.sin().clamp(min=tiny)
    near = theta < SMALLEST_ANGLE
    weight_a = torch.where(near, 1 - s, ((1 - s) * theta).sin() / sine)
    weight_b = torch.where(near, s, (s * theta).sin() / sine)
    norm = (1 - s) * norm_a + s * norm_b
    point = (norm * (weight_a * unit_a + weight_b * unit_b)).to(first.dtype).view_as(first)
    s = s.view(-1, *[1] * (first.dim() - 1))
    return torch.where(s == 0, first, torch.where(s == 1, second, point))
