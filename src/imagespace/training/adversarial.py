"""Training against a discriminator, in the one loss and the one optimiser of everything else."""

import torch
from torch import Tensor

from imagespace.networks.autoencoder import Autoencoder, AutoencoderConfig
from imagespace.networks.discriminator import Discriminator


class AdversarialAutoencoder(Autoencoder):
    """An autoencoder in training with its discriminator, which no finished file keeps."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__(config)
        self.discriminator = Discriminator(config.num_channels, config.width)


def without_discriminator(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a network, by name, that its finished file keeps."""
    return {
        name: weight for name, weight in weights.items() if not name.startswith("discriminator.")
    }


def hinge(real: Tensor, copied: Tensor) -> Tensor:
    """What a discriminator makes small: mean max(0, 1 - D(real)) + mean max(0, 1 + D(copied)).

    Source: arXiv 1705.02894.
    """
    return (1 - real).relu().mean() + (1 + copied).relu().mean()


def contest(discriminator: Discriminator, x_0: Tensor, x0_hat: Tensor, length: Tensor) -> Tensor:
    """The discriminator's hinge loss, which also pulls the copies x0_hat [B, C, H, W].

    Its gradient at x0_hat is that of -mean D(x0_hat), brought to the norm `length`, a scalar; its
    value is the hinge alone. The hinge sees detached copies, so that neither side spoils the other.
    """
    seen = x0_hat.detach().requires_grad_()
    copied = discriminator(seen)
    (uphill,) = torch.autograd.grad(copied.mean(), seen, retain_graph=True)
    pull = length / (uphill.norm() + 1e-12) * uphill
    loss: Tensor = hinge(discriminator(x_0), copied) - (pull * (x0_hat - x0_hat.detach())).sum()
    return loss
