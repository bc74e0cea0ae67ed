"""A residual perceptron for points: coins, curves, clouds in a few dimensions."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from imagespace.networks.time_embedding import TimeEmbedding


class PerceptronConfig(BaseModel):
    """The network's shape."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["perceptron"] = "perceptron"
    num_dimensions: int = Field(2, ge=1)
    width: int = Field(128, gt=0)
    depth: int = Field(3, gt=0)
    # Sines of x, from one period over the data to 2^(n - 1): edges that a smooth network blurs.
    num_octaves: int = Field(4, ge=0)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one point."""
        return (self.num_dimensions,)

    @property
    def max_text_tokens(self) -> int:
        """Points have no captions."""
        return 0


class PerceptronBlock(nn.Module):
    """x + W2 silu(W1 norm(x) + time): [B, width] -> [B, width]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        out: Tensor = x + self.second(F.silu(self.first(self.norm(x)) + time))
        return out


class Perceptron(nn.Module):
    """x_t [B, D], t [B] -> prediction [B, D]; the condition is not read."""

    def __init__(self, config: PerceptronConfig) -> None:
        super().__init__()
        self.config = config
        num_features = config.num_dimensions * (1 + 2 * config.num_octaves)
        octaves = math.pi * 2.0 ** torch.arange(config.num_octaves)
        self.register_buffer("octaves", octaves, persistent=False)
        self.point_in = nn.Linear(num_features, config.width)
        self.time = TimeEmbedding(config.width)
        self.blocks = nn.ModuleList(PerceptronBlock(config.width) for _ in range(config.depth))
        self.point_out = nn.Linear(config.width, config.num_dimensions)
        nn.init.zeros_(self.point_out.weight)

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        angle = (x_t[:, :, None] * self.octaves).flatten(1)  # type: ignore[operator]
        x = self.point_in(torch.cat([x_t, angle.sin(), angle.cos()], dim=1))
        time = self.time(t)
        for block in self.blocks:
            x = block(x, time)
        out: Tensor = self.point_out(x)
        return out
