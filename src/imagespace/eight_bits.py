"""Matrices in eight bits a weight, for files that must be small; read back as float32.

w[r, c] ~ s[r] q[r, c] with whole q from -127 to 127 and s[r] = max_c |w[r, c]| / 127, so that no
weight moves by more than half a step of its row.
"""

import torch
from torch import Tensor

_SCALES = ":scales"


def in_eight_bits(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors with the matrix `name` [R, C] as int8, and its rows' scales [R, 1] beside it."""
    weight = tensors[name].float()
    scales = weight.abs().amax(dim=1, keepdim=True) / 127
    whole = (weight / scales.clamp(min=torch.finfo(torch.float32).tiny)).round()
    return tensors | {name: whole.to(torch.int8), name + _SCALES: scales}


def restored(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """All tensors as float32, those in eight bits times their scales."""
    return {
        name: tensor.float() * tensors[name + _SCALES]
        if name + _SCALES in tensors
        else tensor.float()
        for name, tensor in tensors.items()
        if not name.endswith(_SCALES)
    }
