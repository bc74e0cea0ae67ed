"""The bottleneck of a transformer: what its middle block hands on for the places of the picture.

Directions in it change what is drawn as a whole (h-space, Kwon et al., arXiv 2210.10960). It is
read and moved by forward hooks, which are gone when the context ends.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from imagespace.networks.transformer import PatchTransformer


@contextmanager
def recorded(network: PatchTransformer) -> Iterator[list[Tensor]]:
    """Collects the bottleneck [B, P, W] of every call of the network, for P patches."""
    seen: list[Tensor] = []

    def record(block: nn.Module, inputs: Any, output: Tensor) -> None:
        seen.append(output[:, -network.config.num_patches :].detach().cpu())

    handle = _middle(network).register_forward_hook(record)
    try:
        yield seen
    finally:
        handle.remove()


@contextmanager
def shifted(network: PatchTransformer, shift: Tensor) -> Iterator[None]:
    """Adds `shift` [P, W] to the bottleneck at every call of the network."""

    def move(block: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        moved = output.clone()
        moved[:, -network.config.num_patches :] += shift.to(output)
        return moved

    handle = _middle(network).register_forward_hook(move)
    try:
        yield
    finally:
        handle.remove()


def _middle(network: PatchTransformer) -> nn.Module:
    """The middle block; of two, the first, so that a block comes after it."""
    return network.blocks[(network.config.depth - 1) // 2]
