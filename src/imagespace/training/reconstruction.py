"""What an autoencoder is asked to make small: the error of its pictures, and of their edges."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagespace.networks.autoencoder import Autoencoder
from imagespace.networks.discriminator import Discriminator
from imagespace.precision import products_in
from imagespace.randomness import generator
from imagespace.training.adversarial import AdversarialAutoencoder, contest
from imagespace.training.config import AutoencoderRun
from imagespace.training.loss import TrainingLoss

NUM_EDGE_SCALES = 3


class ReconstructionLoss(TrainingLoss):
    """|x_hat - x_0|^2 + e edges(x_hat - x_0) + k |z|^2 / 2, each a mean; decoded from z, or z + n.

    With k > 0 the latents z are the means of posteriors of variance 1, whose divergence from
    N(0, 1) is |z|^2 / 2, and the decoder sees a draw from them: z + n, n ~ N(0, 1) (arXiv
    1312.6114, with the posterior's variance fixed: how large z grows beside it is learnt).

    With an adversarial weight a > 0 a discriminator learns beside it to tell x_0 from x_hat. It
    pulls the x_hat of a batch towards what it takes for real, a times as strongly as the rest of
    the loss pulls them towards x_0 (arXiv 2012.09841, equation 7, with gradients at the pictures).
    """

    def __init__(self, config: AutoencoderRun) -> None:
        self.config = config
        self.discriminator: Discriminator | None = None

    def build_network(self) -> nn.Module:
        if not self.config.reconstruction.adversarial_weight:
            return Autoencoder(self.config.autoencoder)
        network = AdversarialAutoencoder(self.config.autoencoder)
        self.discriminator = network.discriminator
        return network

    def is_matrix(self, name: str, parameter: Tensor) -> bool:
        """Every convolution's kernel; the biases are AdamW's."""
        return parameter.dim() == 4

    def __call__(
        self,
        forward: Callable[..., Any],
        x_0: Tensor,
        conditions: tuple[Tensor, ...],
        step: int,
        dtype: torch.dtype,
    ) -> Tensor:
        kl_weight = self.config.reconstruction.kl_weight
        with products_in(dtype, x_0.device):
            noise = self._noise(x_0, step) if kl_weight else None
            x0_hat, latents = forward(x_0, noise)
        error = x0_hat.float() - x_0
        loss: Tensor = error.square().mean() + self.config.reconstruction.edge_weight * edges(error)
        if kl_weight:
            loss = loss + kl_weight * latents.float().square().mean() / 2
        if self.discriminator is not None:
            (pull,) = torch.autograd.grad(loss, x0_hat, retain_graph=True)
            length = self.config.reconstruction.adversarial_weight * pull.float().norm()
            loss = loss + contest(self.discriminator, x_0, x0_hat.float(), length)
        return loss

    def _noise(self, x_0: Tensor, step: int) -> Tensor:
        autoencoder = self.config.autoencoder
        sides = [side // autoencoder.downsampling for side in x_0.shape[2:]]
        random = generator(self.config.training.seed, "latents", step)
        noise = torch.randn(len(x_0), autoencoder.latent_channels, *sides, generator=random)
        return noise.to(x_0.device)


def edges(error: Tensor) -> Tensor:
    """Mean absolute difference of neighbours in `error` [B, C, H, W], over scales 1, 1/2, 1/4.

    Sides of at least 8, so that there are neighbours at every scale.

    A perceptual term that needs no network: a blurred edge costs little squared error, but all of
    its sharpness (arXiv 1511.05440 adds the gradient difference for the same reason).
    """
    total = error.new_zeros(())
    for scale in range(NUM_EDGE_SCALES):
        if scale:
            error = F.avg_pool2d(error, 2)
        across, down = error.diff(dim=3), error.diff(dim=2)
        total = total + (across.abs().mean() + down.abs().mean()) / 2
    return total / NUM_EDGE_SCALES
