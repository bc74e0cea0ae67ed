"""What a model's samples are, pixels or latents, and the way from them to pictures and back."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from imagespace.checkpoints import ModelConfig
from imagespace.errors import UserError
from imagespace.networks.autoencoder import Autoencoder
from imagespace.pipeline.autoencoding import decoded, encoded, encoded_rows, num_at_once
from imagespace.pipeline.drawn import from_pixels, to_pixels
from imagespace.pipeline.start import Start, start_tensors


class PictureSpace:
    """Samples x [B, ...] of a model: pictures themselves, or latents of its autoencoder.

    `decode` and `encode` lead from samples to pictures and back; without an autoencoder they are
    the identity.
    """

    def __init__(self, config: ModelConfig, autoencoder: Autoencoder | None, source: str) -> None:
        assert (autoencoder is None) == (config.autoencoder is None)
        self.config = config
        self.autoencoder = autoencoder
        self.source = source  # the name or path that `load` finds the model by

    def decode(self, samples: Tensor) -> Tensor:
        """Pictures [B, C, H, W], near [-1, 1], of samples [B, ...]."""
        if self.autoencoder is None:
            return samples
        return decoded(self.autoencoder, samples)

    def decoded_change(self, samples: Tensor, change: Tensor) -> Tensor:
        """How pictures change, [B, C, H, W], as samples x [B, ...] set off along `change` v.

        d/dh decode(x + h v) at h = 0: J(x) v with the Jacobian J of the decoder, exactly; v itself
        for a model of pixels.
        """
        if self.autoencoder is None:
            return change
        decode, size = self.autoencoder.decode, num_at_once(*self.config.picture_shape[1:])
        parts = []
        for x, v in zip(samples.split(size), change.split(size), strict=True):
            # Derivatives cannot be taken of tensors that were made in inference mode.
            parts.append(torch.autograd.functional.jvp(decode, x.clone(), v.clone())[1])
        return torch.cat(parts)

    def encode(self, pictures: Tensor) -> Tensor:
        """Samples [B, ...] of pictures [B, C, H, W] in [-1, 1]."""
        if self.autoencoder is None:
            return pictures
        return encoded(self.autoencoder, pictures)

    def encode_rows(self, pixels: NDArray[np.uint8], rows: NDArray[np.int64]) -> Tensor:
        """Samples [B, ...] of the pictures `rows` of uint8 [N, H, W, C], which may be on disk."""
        if self.autoencoder is None:
            return from_pixels(np.ascontiguousarray(pixels[rows]))
        return encoded_rows(self.autoencoder, pixels, rows)

    def pixels(self, samples: Tensor, start: Start | None = None) -> NDArray[np.uint8]:
        """The pixels uint8 [B, H, W, C] of samples [B, ...].

        What a mask keeps of the picture that the walk started from is that picture, although an
        autoencoder would change it a little. Source: Blended Latent Diffusion, arXiv 2206.02779.
        """
        with torch.no_grad():
            drawn = self.decode(samples)
        if self.autoencoder is not None and start is not None and start.mask:
            picture, mask = start_tensors(start, self.config.picture_shape, self.config.fit)
            assert mask is not None
            drawn = mask * drawn + (1 - mask) * picture
        return to_pixels(drawn)

    def check_draws_pixels(self, what: str) -> None:
        """Errors: UserError if the samples are latents, where `what` would not be of pixels."""
        if self.autoencoder is not None:
            raise UserError(
                f"model {self.source}",
                f"walks among latents, and {what} is of pixels",
                "Name a model that was trained with --space pixel",
            )

    def start_samples(self, start: Start) -> tuple[Tensor, Tensor | None]:
        """(sample [...], mask of 0 and 1 that broadcasts over it or None) of a start.

        A place of the latents is drawn if any of its pixels is. Errors: those of `start_tensors`.
        """
        picture, mask = start_tensors(start, self.config.picture_shape, self.config.fit)
        with torch.no_grad():
            x_0 = self.encode(picture[None])[0]
        if mask is not None and self.autoencoder is not None:
            mask = F.max_pool2d(mask, self.autoencoder.config.downsampling)
        return x_0, mask
