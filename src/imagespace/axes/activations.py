"""The bottleneck of a network while it looks at noised pictures, at a few levels of noise."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from imagespace.networks.bottleneck import recorded
from imagespace.networks.transformer import PatchTransformer
from imagespace.pipeline import Model
from imagespace.randomness import picture_noise

# Of noise, falling: what a picture shows as a whole is settled above one half, and words tell most
# where nothing but noise is to be seen.
SHARES = (0.95, 0.8, 0.6, 0.4, 0.2)
_BATCH = 32


def activations(
    model: Model, x_0: Tensor, prompts: Sequence[str], seed: int = 0
) -> Iterator[Tensor]:
    """The bottleneck [N, P, W] at each of SHARES, for samples x_0 [N, ...] with one prompt each.

    Picture i has the same noise at every share, and whatever its prompt.
    """
    network = model.network
    assert isinstance(network, PatchTransformer)
    eps = picture_noise(tuple(x_0.shape[1:]), seed, "axis", range(len(x_0)))
    for share in SHARES:
        t = model.schedule.time_of_share(torch.tensor(share))
        parts = []
        for start in range(0, len(x_0), _BATCH):
            rows = slice(start, start + _BATCH)
            x_t = model.schedule.add_noise(x_0[rows], eps[rows], t)
            with torch.inference_mode(), recorded(network) as seen:
                model.denoiser(list(prompts[rows]))(x_t, t)
            parts.extend(seen)
        yield torch.cat(parts)
