"""An autoencoder that loses nothing: its latents are the pixels, blocks of them as channels.

A model of pixels has a twin over such latents, whose network has the very weights.
"""

import torch
from torch import nn

from imagespace.checkpoints import tensors_sha256
from imagespace.networks.autoencoder import Autoencoder, AutoencoderConfig, ResidualBlock
from imagespace.networks.build import build_network
from imagespace.pipeline import Model
from imagespace.recipes import in_latents
from imagespace.training.config import RunConfig


def lossless_autoencoder(num_channels: int = 1, mean: float = 0.0, std: float = 1.0) -> Autoencoder:
    """Latents [B, 16 C, H/4, W/4], whitened by these two numbers; decode undoes encode."""
    values = 16 * num_channels
    config = AutoencoderConfig(
        num_channels=num_channels, downsampling=4, latent_channels=values, width=values, depth=1
    )
    made = Autoencoder(config)
    with torch.no_grad():
        for module in made.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.dirac_(module.weight)
                nn.init.zeros_(module.bias)
        for module in made.modules():
            if isinstance(module, ResidualBlock):
                nn.init.zeros_(module.second.weight)
    made.latent_mean.fill_(mean)
    made.latent_std.fill_(std)
    return made.eval().requires_grad_(False)


def latent_twin(run: RunConfig, model: Model, autoencoder: Autoencoder) -> tuple[RunConfig, Model]:
    """The run and the model, whose patches of pixels are 4 x 4, over a lossless autoencoder."""
    config = in_latents(run, autoencoder.config, tensors_sha256(autoencoder.state_dict()))
    network = build_network(config.model.network)
    network.load_state_dict(model.network.state_dict())
    return config, Model(config.model, network, model.encoder, "4567", "latent", autoencoder)
