"""Every random draw is named by (seed, stream, numbers): there is no generator state to save."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def generator(seed: int, stream: str, *numbers: int) -> torch.Generator:
    """A CPU generator that depends on its name alone, so that a draw can be repeated anywhere."""
    name = f"{seed}/{stream}/" + "/".join(map(str, numbers))
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    # torch seeds are signed 64-bit: keep 63 bits.
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def picture_noise(
    shape: tuple[int, ...], seed: int, stream: str, indices: Sequence[int], *numbers: int
) -> Tensor:
    """Standard normal noise [len(indices), *shape], drawn per picture.

    Picture `indices[i]` gets the same noise whatever else is in the batch.
    """
    draws = [
        torch.randn(shape, generator=generator(seed, stream, *numbers, index)) for index in indices
    ]
    return torch.stack(draws)
