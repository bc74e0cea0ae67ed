"""Random changes of the training pictures that do not leak into what the model draws.

A small set of pictures is learnt by heart; showing each of them shifted, scaled and recoloured
delays that. So that the drawn pictures are not shifted themselves, the network is told what was
done to a picture, and asked for none of it when it draws (arXiv 2206.00364, appendix F.1).
"""

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from imagespace.networks.geometry import moved

LARGEST_BRIGHTNESS = 0.2  # of the logarithm of the ink
LARGEST_SATURATION = 0.3
NUM_LABELS = 6
"""Shift right and down, scale, flip, brightness, saturation: each in [-1, 1], 0 = unchanged."""
_LUMA = (0.299, 0.587, 0.114)


class AugmentationConfig(BaseModel):
    """How often a training picture is changed. A caption may forbid it: "a blue car", "left"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    geometry: float = Field(0.0, ge=0, le=1)  # chance of being moved: shifts and scale
    colour: float = Field(0.0, ge=0, le=1)  # chance of another brightness and saturation
    flip: bool = False  # mirrors half of the pictures

    @property
    def num_labels(self) -> int:
        """Width of the label that the network reads; 0 where nothing is changed."""
        return NUM_LABELS if self.geometry or self.colour or self.flip else 0


def draw_labels(config: AugmentationConfig, size: int, random: torch.Generator) -> Tensor:
    """What is done to each of `size` pictures, [B, 6]."""
    amount = 2 * torch.rand(size, NUM_LABELS, generator=random) - 1
    # One draw decides for all that moves a picture, so that the others are seen as they are.
    chosen = torch.rand(size, NUM_LABELS, generator=random)[:, [0, 0, 0, 3, 4, 4]]
    geometry, flip, colour = config.geometry, 0.5 * config.flip, config.colour
    chance = torch.tensor([geometry, geometry, geometry, flip, colour, colour])
    amount[:, 3] = 1.0
    return torch.where(chosen < chance, amount, torch.zeros(()))


def augment(pictures: Tensor, labels: Tensor) -> Tensor:
    """Pictures [B, C, H, W] in [-1, 1], changed as `labels` [B, 6] say; edges are continued.

    A brightness multiplies the distance from white, so that paper stays white.
    """
    out = pictures
    if labels[:, :4].any():
        # Untouched pictures stay as they are, bit for bit.
        still = (labels[:, :4] == 0).all(dim=1)
        out = torch.where(still[:, None, None, None], out, moved(out, labels))
    if labels[:, 4:].any():
        brightness, saturation = labels[:, 4:, None, None, None].unbind(1)
        ink = 1 - out
        if out.shape[1] == 3:
            luma = (ink * torch.tensor(_LUMA)[:, None, None]).sum(dim=1, keepdim=True)
            ink = luma + (ink - luma) * (1 + LARGEST_SATURATION * saturation)
        out = (1 - ink * torch.exp(LARGEST_BRIGHTNESS * brightness)).clamp(-1, 1)
    return out
