"""A small residual network that the judges look at pictures with.

Kernels are stored as matrices, which Muon orthogonalises; strided layers are written as matrix
products, because torch's strided and narrow convolutions are slow in bfloat16 on the CPU.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Convolution(nn.Module):
    """A bias-free 3 x 3 convolution whose kernel is stored as a matrix [out, 3 * 3 * in].

    The matrix form is what Muon orthogonalises; x [N, in, H, W] -> [N, out, H, W].
    """

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_out, 9 * num_in) * (2 / (9 * num_in)) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight.view(self.weight.shape[0], 3, 3, -1).permute(0, 3, 1, 2)
        return F.conv2d(x, kernel, padding=1)


class ResidualBlock(nn.Module):
    """relu(x + norm(conv(relu(norm(conv(x)))))): the identity at first (He et al. 2016)."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.first = Convolution(num_channels, num_channels)
        self.first_norm = nn.BatchNorm2d(num_channels)
        self.second = Convolution(num_channels, num_channels)
        self.second_norm = nn.BatchNorm2d(num_channels)
        nn.init.zeros_(self.second_norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.first_norm(self.first(x)))
        return F.relu(x + self.second_norm(self.second(hidden)))


class Stem(nn.Module):
    """A 5 x 5 convolution of stride 2, as a matrix product over unfolded patches."""

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        num_values = 25 * num_in
        self.weight = nn.Parameter(torch.randn(num_out, num_values) * (2 / num_values) ** 0.5)
        self.norm = nn.BatchNorm2d(num_out)

    def forward(self, x: Tensor) -> Tensor:
        patches = F.unfold(x, 5, padding=2, stride=2).transpose(1, 2)
        hidden = F.linear(patches, self.weight)
        height, width = x.shape[2] // 2, x.shape[3] // 2
        grid = hidden.view(len(x), height, width, -1).permute(0, 3, 1, 2)
        return F.relu(self.norm(grid))


class Halving(nn.Module):
    """A 2 x 2 convolution of stride 2 as a matrix product: strided ones are slow in bfloat16."""

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_out, 4 * num_in) * (2 / (4 * num_in)) ** 0.5)
        self.norm = nn.BatchNorm2d(num_out)

    def forward(self, x: Tensor) -> Tensor:
        n, num_in, height, width = x.shape
        cells = x.permute(0, 2, 3, 1).reshape(n, height // 2, 2, width // 2, 2, num_in)
        cells = cells.permute(0, 1, 3, 2, 4, 5).reshape(n, height // 2, width // 2, 4 * num_in)
        return F.relu(self.norm(F.linear(cells, self.weight).permute(0, 3, 1, 2)))


# (channels, residual blocks) of each halving of the size.
Stages = tuple[tuple[int, int], ...]
SMALL: Stages = ((96, 2), (128, 2), (192, 1))
LARGE: Stages = ((128, 2), (192, 2), (256, 2))


class PictureEncoder(nn.Sequential):
    """Pictures [N, C, 64, 64] -> a map [N, channels, 4, 4] of what is where."""

    def __init__(self, num_channels: int, stages: Stages = SMALL) -> None:
        layers: list[nn.Module] = [Stem(num_channels, 32)]
        num_in = 32
        for num_out, num_blocks in stages:
            layers.append(Halving(num_in, num_out))
            layers += [ResidualBlock(num_out) for _ in range(num_blocks)]
            num_in = num_out
        super().__init__(*layers)
        self.width = 4 * num_in

    def quadrants(self, pictures: Tensor) -> Tensor:
        """The means of the map's four quadrants [N, width]: where a part sits matters."""
        return F.avg_pool2d(self(pictures), 2).flatten(1)
