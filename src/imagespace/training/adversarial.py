"""Training against a discriminator: both sides of the contest in one loss and one backward pass."""

import torch
from torch import Tensor

from imagespace.networks.autoencoder import Autoencoder, AutoencoderConfig
from imagespace.networks.discriminator import Discriminator


class AdversarialAutoencoder(Autoencoder):
    """An autoencoder in training with its discriminator, which no finished file keeps."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__(config)
        self.discriminator = Discriminator(config.num_channels, config.width)

    @staticmethod
    def without_discriminator(weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """The weights of the autoencoder alone."""
        return {
            name: weight
            for name, weight in weights.items()
            if not name.startswith("discriminator.")
        }


def hinge(real: Tensor, copied: Tensor) -> Tensor:
    """What a discriminator makes small: mean max(0, 1 - D(real)) + mean max(0, 1 + D(copied)).

    Source: arXiv 1705.02894.
    """
    return (1 - real).relu().mean() + (1 + copied).relu().mean()


class _Reversed(torch.autograd.Function):
    """The identity, whose gradient is turned round and brought to a given length."""

    @staticmethod
    def forward(ctx, x: Tensor, length: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.length = length
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def, override]
        return -ctx.length / (gradient.norm() + 1e-12) * gradient, None


def against(pictures: Tensor, length: Tensor) -> Tensor:
    """`pictures` [B, C, H, W] as they are, for a loss that whoever made them is to make large.

    Its gradient reaches them reversed (arXiv 1409.7495) and with the norm `length`, a scalar, so
    that one backward pass trains both sides of the contest.
    """
    reversed_: Tensor = _Reversed.apply(pictures, length)  # type: ignore[no-untyped-call]
    return reversed_
