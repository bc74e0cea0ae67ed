"""A transformer with more blocks that answers as a shallower one does, to be trained on."""

import re

import torch
from torch import Tensor

_BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")
# What a block adds to the tokens leaves it through these matrices alone.
_OUTPUTS = ("attention.out.weight", "feed_forward.down.weight")


def grown(weights: dict[str, Tensor], depth: int) -> dict[str, Tensor]:
    """The weights of a `PatchTransformer` with `depth` blocks that answers as the given one.

    Each further block is a copy of the one below it whose outputs are zero: the identity, and a
    start that reads what its neighbour reads. Copied layers train faster than fresh ones (gradual
    stacking: Gong et al. 2019, Efficient Training of BERT by Progressively Stacking).
    """
    found: dict[str, Tensor] = {}
    blocks: list[dict[str, Tensor]] = []
    for name, weight in weights.items():
        if (match := _BLOCK.fullmatch(name)) is None:
            found[name] = weight
            continue
        blocks.extend({} for _ in range(int(match[1]) + 1 - len(blocks)))
        blocks[int(match[1])][match[2]] = weight
    if depth < len(blocks):
        raise ValueError(f"{len(blocks)} blocks cannot become {depth}")
    below = -1
    for number in range(depth):
        copied = number * len(blocks) // depth
        for name, weight in blocks[copied].items():
            is_silent = copied == below and name in _OUTPUTS
            found[f"blocks.{number}.{name}"] = (
                torch.zeros_like(weight) if is_silent else weight.clone()
            )
        below = copied
    return found
