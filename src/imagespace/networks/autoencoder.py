"""An autoencoder: pictures to a smaller, whitened latent space and back.

Convolutions only, so that what was learnt on small pictures also encodes larger ones. Full
resolution is never convolved: a picture enters and leaves as 4 x 4 blocks of pixels
(space-to-depth), and each halving after that doubles the channels. Latents are whitened by the
mean and the standard deviation of every channel over the training pictures, which are stored with
the weights (arXiv 2112.10752 rescales by one number).
"""

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

_BLOCK_PX = 4
"""Side of the blocks of pixels that become channels at the start and the end."""


class AutoencoderConfig(BaseModel):
    """Shape of an autoencoder; the size of the pictures is free (a multiple of `downsampling`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["autoencoder"] = "autoencoder"
    num_channels: int = Field(1, ge=1, le=4)
    downsampling: Literal[4, 8, 16] = 8
    latent_channels: int = Field(4, ge=1, le=64)
    width: int = Field(64, gt=0)  # at a quarter of the resolution; each halving doubles it
    depth: int = Field(2, gt=0)  # blocks at each resolution
    # Side of the pictures that it was trained on, or on parts of; None: an older file does not say.
    trained_size_px: int | None = Field(None, gt=0)

    @property
    def widths(self) -> list[int]:
        """Channels at 1/4, 1/8, ... of the resolution, down to that of the latents."""
        num_halvings = (self.downsampling // _BLOCK_PX).bit_length() - 1
        return [self.width * 2**k for k in range(num_halvings + 1)]

    def latent_shape(self, image_size_px: int) -> tuple[int, int, int]:
        """[C, H, W] of the latents of square pictures of this size, a multiple of downsampling."""
        side = image_size_px // self.downsampling
        return (self.latent_channels, side, side)


class ResidualBlock(nn.Module):
    """x + conv(silu(conv(norm(x)))), [B, C, H, W]; the norm is over the channels of each place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        normed = x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-6)
        out: Tensor = x + self.second(F.silu(self.first(normed)))
        return out


class Autoencoder(nn.Module):
    """`encode`: pictures [B, C, H, W] in [-1, 1] to whitened latents [B, Z, H/f, W/f]; `decode`."""

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        widths, pixels = config.widths, config.num_channels * _BLOCK_PX**2
        down: list[nn.Module] = [
            nn.PixelUnshuffle(_BLOCK_PX),
            nn.Conv2d(pixels, widths[0], 3, padding=1),
        ]
        up: list[nn.Module] = [nn.Conv2d(config.latent_channels, widths[-1], 3, padding=1)]
        for k, width in enumerate(widths):
            if k:
                down += [nn.PixelUnshuffle(2), nn.Conv2d(4 * widths[k - 1], width, 1)]
            down += [ResidualBlock(width) for _ in range(config.depth)]
        down.append(nn.Conv2d(widths[-1], config.latent_channels, 1))
        for k in reversed(range(len(widths))):
            up += [ResidualBlock(widths[k]) for _ in range(config.depth)]
            if k:
                up += [nn.Conv2d(widths[k], 4 * widths[k - 1], 1), nn.PixelShuffle(2)]
        up += [nn.Conv2d(widths[0], pixels, 3, padding=1), nn.PixelShuffle(_BLOCK_PX)]
        self.encoder, self.decoder = nn.Sequential(*down), nn.Sequential(*up)
        self.register_buffer("latent_mean", torch.zeros(config.latent_channels))
        self.register_buffer("latent_std", torch.ones(config.latent_channels))

    def forward(self, x_0: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Pictures [B, C, H, W] decoded from the latents of x_0, plus `noise`; and the latents."""
        latents = self.encode(x_0)
        return self.decode(latents if noise is None else latents + noise), latents

    def encode(self, x_0: Tensor) -> Tensor:
        """Whitened latents [B, Z, H/f, W/f] of pictures [B, C, H, W] in [-1, 1]."""
        latents: Tensor = self.encoder(x_0)
        return (latents - self.latent_mean[:, None, None]) / self.latent_std[:, None, None]

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures [B, C, H, W], near [-1, 1], of whitened latents [B, Z, H/f, W/f]."""
        raw = latents * self.latent_std[:, None, None] + self.latent_mean[:, None, None]
        pictures: Tensor = self.decoder(raw)
        return pictures
