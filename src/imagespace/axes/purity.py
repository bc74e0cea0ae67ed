"""How purely an axis turns: what it moves, what else moves, and in how many pictures it rises."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from imagespace.axes.identity import Identity
from imagespace.pictures.attributes import measure
from imagespace.pipeline import from_pixels
from imagespace.pipeline.axis import Axis, stored_report

# Attributes are measured on saved pixels: a fall within their rounding is none.
ROUNDING_UNITS = 0.02


class Purity(BaseModel):
    """What turning an axis from its least to its greatest value did to N pictures.

    `moved` [K] is the mean move of each attribute from end to end, in its own units. `drift` [K] is
    how far it strays on the way, from a picture's least value to its greatest, in the mean over the
    pictures: an attribute that rises and returns has drifted and not moved. `leak` is the largest
    drift of an attribute that should hold, as a share of the move of the axis's own. `monotone` is
    the share of pictures whose attribute ends higher than it begins and on the way never falls by
    more than 0.02 units. A direction has no attribute of its own: it has neither.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    axis: str
    attributes: tuple[str, ...]
    num_pictures: int
    moved: tuple[float, ...]
    drift: tuple[float, ...]
    monotone: float | None = None
    leak: float | None = None
    identity: Identity | None = None

    @property
    def summary(self) -> str:
        """The report in one line."""
        noun = "picture" if self.num_pictures == 1 else "pictures"
        parts = [f"{self.num_pictures} {noun} from end to end"]
        if self.monotone is not None and self.leak is not None:
            own = self.attributes.index(self.axis)
            parts.append(f"moved {self.moved[own]:+.2f}")
            parts.append(f"others strayed {self.leak:.2f} of it at most")
            parts.append(f"rises in {self.monotone:.0%}")
        else:
            moves = zip(self.attributes, self.moved, strict=True)
            parts.append(", ".join(f"{name} {move:+.2f}" for name, move in moves))
        if self.identity is not None:
            parts.append(f"cosine with the unturned {self.identity.cosine:.2f}")
            if self.identity.radical is not None:
                parts.append(f"same radical {self.identity.radical:.0%}")
        return "; ".join(parts)


def stored_purity(path: Path) -> Purity | None:
    """The report in an axis's file; None before there is one that this version can read."""
    try:
        return Purity.model_validate_json(stored_report(path))
    except ValidationError:
        return None


def purity(axis: Axis, pixels: NDArray[np.uint8], kept: Identity | None = None) -> Purity:
    """Measures uint8 pictures [V, N, H, W, C], drawn with the axis at V rising values."""
    measured = torch.stack(
        [measure(from_pixels(np.ascontiguousarray(one)), axis.attributes) for one in pixels]
    )
    return purity_of(axis, measured, kept)


def purity_of(axis: Axis, measured: Tensor, kept: Identity | None = None) -> Purity:
    """The purity of attributes [V, N, K] at V rising values."""
    scaled = measured / torch.tensor(axis.units)
    between = scaled[-1] - scaled[0]
    # What others do on the way counts too: the whole width of each picture's values.
    drift = (scaled.amax(dim=0) - scaled.amin(dim=0)).mean(dim=0)
    moved = between.mean(dim=0)
    found = Purity(
        axis=axis.name,
        attributes=axis.attributes,
        num_pictures=measured.shape[1],
        moved=tuple(moved.tolist()),
        drift=tuple(drift.tolist()),
        identity=kept,
    )
    if axis.place != "attribute":
        return found
    own = axis.attributes.index(axis.name)
    rises = (scaled[1:, :, own] - scaled[:-1, :, own] > -ROUNDING_UNITS).all(dim=0)
    rises &= between[:, own] > 0
    others = torch.arange(len(axis.attributes)) != own
    leak = float(drift[others].max() / moved[own].abs().clamp(min=1e-9))
    return found.model_copy(update={"monotone": float(rises.float().mean()), "leak": leak})
