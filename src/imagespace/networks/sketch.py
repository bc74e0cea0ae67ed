"""A small picture of what a caption shows on the average, before any noise is looked at.

A perceptron from the pooled text to E[x_0 | text] at few pixels. It runs once a picture and not
once a token, so that its weights cost a hundredth of the transformer's, and what a caption looks
like on the whole is learnt in minutes instead of from the highest noise levels in hours
(docs/experiments.md). The network reads the sketch beside x_t and is free to depart from it.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class Sketch(nn.Module):
    """Pooled text states [B, D] -> pictures [B, C, side, side].

    Its weights are fitted before the network's first step (`training/sketch_fit.py`) and then stay.
    """

    def __init__(self, text_width: int, width: int, num_channels: int, side_px: int) -> None:
        super().__init__()
        self.shape = (num_channels, side_px, side_px)
        self.text_norm = nn.RMSNorm(text_width, elementwise_affine=False)
        self.text_in = nn.Linear(text_width, width)
        self.hidden = nn.Linear(width, width)
        self.picture = nn.Linear(width, num_channels * side_px * side_px)

    def forward(self, pooled: Tensor, dropout: float = 0.0) -> Tensor:
        """`dropout` is the share of hidden values left out, while the weights are fitted."""
        hidden = F.dropout(F.silu(self.text_in(self.text_norm(pooled))), dropout)
        hidden = F.dropout(F.silu(self.hidden(hidden)), dropout)
        pixels: Tensor = self.picture(hidden)
        return pixels.view(len(pooled), *self.shape)


def pooled_text(text: Tensor) -> Tensor:
    """The sum of the words' states over the root of their number: [B, L, D] -> [B, D].

    A token that is all zero is padding and counts for nothing.
    """
    num_words = (text.abs().amax(dim=2, keepdim=True) > 0).sum(dim=1)
    pooled: Tensor = text.sum(dim=1) / num_words.clamp(min=1).sqrt()
    return pooled


def patches_of(pictures: Tensor, side: int) -> Tensor:
    """Pictures [B, C, H, W] cut into side x side patches by rows: [B, side^2, C H W / side^2]."""
    batch, channels, height, _ = pictures.shape
    patch = height // side
    cut = pictures.view(batch, channels, side, patch, side, patch).permute(0, 2, 4, 1, 3, 5)
    return cut.reshape(batch, side * side, -1)
