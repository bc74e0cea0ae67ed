"""Features of a fixed random network: strokes and textures, without any weights to be had.

Two layers of random mean-free filters with ReLU, on the picture and on its half-size copy, pooled
by mean and maximum over a 2 x 2 grid. Convolutions with random filters tell textures apart nearly
as well as learnt ones (Saxe et al. 2011; Ustyuzhaninov et al. 2016).
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from imagespace.randomness import generator

NUM_FILTERS, NUM_SECOND_FILTERS = 16, 48
NUM_LEVELS = 2
SMALLEST_PX = 16  # smaller pictures are enlarged: the second filters need as many
# Keeps x.y / D of the kernel distance well above rounding; maxima are rarer and larger than means.
SCALE, MAXIMUM_SCALE = 4.0, 0.25


class RandomFeatures:
    """uint8 pictures [N, H, W, C] -> features float32 [N, 832]; the filters derive from `seed`."""

    def __init__(self, num_channels: int, seed: int = 0) -> None:
        self.fingerprint = f"{num_channels}-{seed}"
        random = generator(seed, "random-features", num_channels)
        self.first = [_filters(NUM_FILTERS, num_channels, random) for _ in range(NUM_LEVELS)]
        self.second = [_filters(NUM_SECOND_FILTERS, NUM_FILTERS, random) for _ in range(NUM_LEVELS)]

    @torch.inference_mode()
    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(pixels), 64):
            chunk = torch.from_numpy(np.ascontiguousarray(pixels[start : start + 64]))
            parts.append(self._features(chunk.permute(0, 3, 1, 2).float() / 127.5 - 1))
        return (SCALE * torch.cat(parts)).numpy()

    def _features(self, x: Tensor) -> Tensor:
        if min(x.shape[2:]) < SMALLEST_PX:
            x = F.interpolate(x, (SMALLEST_PX, SMALLEST_PX))
        found = []
        for level, (first, second) in enumerate(zip(self.first, self.second, strict=True)):
            x = F.avg_pool2d(x, 2) if level else x
            strokes = F.relu(F.conv2d(x, first))
            patterns = F.relu(F.conv2d(F.avg_pool2d(strokes, 2), second))
            for answer, grid in ((strokes, 1), (patterns, 2)):
                found.append(F.adaptive_avg_pool2d(answer, grid).flatten(1))
                found.append(MAXIMUM_SCALE * F.adaptive_max_pool2d(answer, grid).flatten(1))
        return torch.cat(found, dim=1)


def _filters(num: int, num_in: int, random: torch.Generator) -> Tensor:
    """Random 3 x 3 filters [num, num_in, 3, 3] of mean zero and length one."""
    filters = torch.randn(num, num_in, 3, 3, generator=random)
    filters -= filters.mean(dim=(2, 3), keepdim=True)
    lengths: Tensor = filters.flatten(1).norm(dim=1)
    return filters / lengths[:, None, None, None]
