"""Tells pictures from an autoencoder's copies of them, place by place."""

from torch import Tensor, nn

from imagespace.networks.autoencoder import ResidualBlock

STRIDE_PX = 8  # between the places of two logits; divides the side of the pictures


class Discriminator(nn.Module):
    """Pictures [B, C, H, W] -> logits [B, 1, H/8, W/8], high where a place looks real.

    Each sees 32 px, since what copies lack is local: grain and sharp edges (arXiv 1611.07004).
    """

    def __init__(self, num_channels: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(16 * num_channels, width, 3, padding=1),
            ResidualBlock(width),
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * width, 2 * width, 1),
            nn.SiLU(),
            nn.Conv2d(2 * width, 1, 1),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.layers(pictures)
        return logits
