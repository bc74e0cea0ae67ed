"""How purely an axis turns: what it moves, what else moves, and in how many pictures it rises."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagespace.pictures.attributes import measure
from imagespace.pipeline import from_pixels
from imagespace.pipeline.axis import Axis

# Attributes are measured on saved pixels: a fall within their rounding is none.
ROUNDING_UNITS = 0.02


@dataclass(frozen=True)
class Purity:
    """What turning an axis from its least to its greatest value did to N pictures.

    `moved` [K] is the mean move of each attribute from end to end, in its own units, and `drift`
    [K] the mean absolute one. `leak` is the largest drift of an attribute that should hold, as a
    share of the move of the axis's own. `monotone` is the share of pictures whose attribute rises
    at every value.
    """

    axis: str
    attributes: tuple[str, ...]
    num_pictures: int
    moved: tuple[float, ...]
    drift: tuple[float, ...]
    monotone: float
    leak: float


def purity(axis: Axis, pixels: NDArray[np.uint8]) -> Purity:
    """Measures uint8 pictures [V, N, H, W, C], drawn with the axis at V rising values."""
    measured = torch.stack(
        [measure(from_pixels(np.ascontiguousarray(one)), axis.attributes) for one in pixels]
    )
    return purity_of(axis, measured)


def purity_of(axis: Axis, measured: Tensor) -> Purity:
    """The purity of attributes [V, N, K] at V rising values."""
    own = axis.attributes.index(axis.name)
    scaled = measured / torch.tensor(axis.units)
    between = scaled[-1] - scaled[0]
    # What others do on the way counts too: the widest that each picture strays from its middle.
    drift = (scaled.amax(dim=0) - scaled.amin(dim=0)).mean(dim=0)
    moved = between.mean(dim=0)
    rises = (scaled[1:, :, own] - scaled[:-1, :, own] > -ROUNDING_UNITS).all(dim=0)
    rises &= between[:, own] > 0
    others = torch.arange(len(axis.attributes)) != own
    return Purity(
        axis=axis.name,
        attributes=axis.attributes,
        num_pictures=measured.shape[1],
        moved=tuple(moved.tolist()),
        drift=tuple(drift.tolist()),
        monotone=float(rises.float().mean()),
        leak=float(drift[others].max() / moved[own].abs().clamp(min=1e-9)),
    )
