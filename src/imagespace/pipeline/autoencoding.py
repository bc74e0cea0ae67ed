"""Pictures through an autoencoder and back, a bounded number at once, and what is lost."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagespace.networks.autoencoder import Autoencoder
from imagespace.pictures.fidelity import LARGEST_PSNR_DB, psnr, ssim
from imagespace.pipeline.drawn import from_pixels, to_pixels

# Of pictures that are read or written at once: it bounds the memory.
LARGEST_PIXELS = 2**20


def encoded(autoencoder: Autoencoder, pictures: Tensor) -> Tensor:
    """Whitened latents [N, Z, H/f, W/f] of pictures [N, C, H, W] in [-1, 1]."""
    height, width = pictures.shape[2:]
    return _in_parts(autoencoder.encode, pictures, num_at_once(height, width))


def decoded(autoencoder: Autoencoder, latents: Tensor) -> Tensor:
    """Pictures [N, C, H, W], near [-1, 1], of whitened latents [N, Z, H/f, W/f]."""
    height, width = (autoencoder.config.downsampling * side for side in latents.shape[2:])
    return _in_parts(autoencoder.decode, latents, num_at_once(height, width))


def encoded_rows(
    autoencoder: Autoencoder, pixels: NDArray[np.uint8], rows: NDArray[np.int64]
) -> Tensor:
    """Latents [N, Z, H/f, W/f] of the pictures `rows` of uint8 [M, H, W, C], which may be on disk.

    Neither they nor their values in [-1, 1] are all held at once.
    """
    with torch.no_grad():
        return torch.cat([autoencoder.encode(x_0) for x_0 in _read(pixels, rows)])


@dataclass(frozen=True)
class Reconstruction:
    """Originals and copies uint8 [N, H, W, C], and how near each copy is: PSNR in dB, SSIM [N]."""

    originals: NDArray[np.uint8]
    copies: NDArray[np.uint8]
    psnr_db: Tensor
    ssim: Tensor


@torch.inference_mode()
def reconstruction(
    autoencoder: Autoencoder, pixels: NDArray[np.uint8], rows: NDArray[np.int64]
) -> Reconstruction:
    """What is left of the pictures `rows` of uint8 [M, H, W, C], as 8-bit pictures."""
    originals, copies, decibels, similarities = [], [], [], []
    for x_0 in _read(pixels, rows):
        copied = to_pixels(autoencoder.decode(autoencoder.encode(x_0)))
        again = from_pixels(copied)
        originals.append(to_pixels(x_0))
        copies.append(copied)
        decibels.append(psnr(again, x_0).clamp(max=LARGEST_PSNR_DB))
        similarities.append(ssim(again, x_0))
    return Reconstruction(
        np.concatenate(originals),
        np.concatenate(copies),
        torch.cat(decibels),
        torch.cat(similarities),
    )


def num_at_once(height: int, width: int) -> int:
    """How many pictures of this size are read or written at once."""
    return max(1, LARGEST_PIXELS // (height * width))


def _read(pixels: NDArray[np.uint8], rows: NDArray[np.int64]) -> Iterator[Tensor]:
    size = num_at_once(*pixels.shape[1:3])
    for start in range(0, len(rows), size):
        yield from_pixels(np.ascontiguousarray(pixels[rows[start : start + size]]))


def _in_parts(change: Callable[[Tensor], Tensor], x: Tensor, size: int) -> Tensor:
    return torch.cat([change(part) for part in x.split(size)])
