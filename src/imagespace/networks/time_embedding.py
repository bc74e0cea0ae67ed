"""How a network is told the time."""

import math

import torch
from torch import Tensor, nn


class TimeEmbedding(nn.Module):
    """Sine-cosine features of t in [0, 1], then a two-layer perceptron: [B] -> [B, width]."""

    def __init__(self, width: int, num_frequencies: int = 128) -> None:
        super().__init__()
        frequencies = torch.exp(torch.linspace(0.0, math.log(1000.0), num_frequencies))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.layers = nn.Sequential(
            nn.Linear(2 * num_frequencies, width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, t: Tensor) -> Tensor:
        angle = t[:, None] * self.frequencies  # type: ignore[operator]
        out: Tensor = self.layers(torch.cat([angle.sin(), angle.cos()], dim=1))
        return out
