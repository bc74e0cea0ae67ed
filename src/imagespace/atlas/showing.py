"""How a view shows samples: as they are, or decoded where a model walks among latents."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from imagespace.atlas.reading import Reading
from imagespace.pipeline import Model


def _themselves(x: Tensor) -> Tensor:
    return x


@dataclass(frozen=True)
class Showing:
    """`pictures(samples)` are pictures [B, C, H, W] near [-1, 1]; `space` is where samples lie.

    Planes, arrows and heights are of the samples; only what is looked at is decoded.
    """

    pictures: Callable[[Tensor], Tensor] = _themselves
    space: str = "image space"

    @property
    def is_of_latents(self) -> bool:
        return self.space == "latent space"


AS_THEY_ARE = Showing()


def showing_of(model: Model) -> Showing:
    """How the samples of a model are shown."""
    if model.autoencoder is None:
        return AS_THEY_ARE

    def decoded(x: Tensor) -> Tensor:
        with torch.no_grad():
            return model.decode(x)

    return Showing(decoded, "latent space")


class ShownReading:
    """Reads the pictures that samples are shown as: judges and neighbours are of pictures."""

    def __init__(self, reading: Reading, showing: Showing) -> None:
        self._reading, self._showing = reading, showing
        self.what = reading.what

    def __call__(self, x: Tensor) -> Tensor:
        return self._reading(self._showing.pictures(x))

    def name(self, number: int) -> str:
        """As the reading of pictures has it."""
        return self._reading.name(number)
