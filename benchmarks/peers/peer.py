"""What another project's model answers, so that it can be trained and judged beside ours."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imagespace.errors import UserError
from imagespace.precision import fastest_dtype

IMAGE_SIZE_PX = 128
PEERS = ("lucidrains", "smalldiffusion_dit", "diffusers_unet")
DEFAULT = "default"
BFLOAT16 = "bfloat16"  # where this machine is faster in it


@cache
def is_fast_in_bfloat16() -> bool:
    return fastest_dtype() == torch.bfloat16


def mixed(precision: str) -> AbstractContextManager[object]:
    """Autocast to bfloat16 where that is the precision and no emulation would make it slow."""
    enabled = precision == BFLOAT16 and is_fast_in_bfloat16()
    return torch.autocast("cpu", torch.bfloat16, enabled=enabled)


class Peer(ABC):
    """A model in training with its own project's loss, optimiser, average and sampler.

    Pictures are given as float32 [B, 1, 128, 128] in [`lowest`, 1], the range that the project
    expects, and `batch_size` at a time. The network that is trained is `network`.
    """

    lowest: float
    batch_size: int
    network: nn.Module

    @abstractmethod
    def train_step(self, pictures: Tensor, fraction: float) -> float:
        """One optimiser step, at `fraction` (0 to 1) of the training time; the loss."""

    @abstractmethod
    def start_average(self) -> None:
        """Begins the project's average of the weights at what `network` holds."""

    @abstractmethod
    def averaged(self) -> AbstractContextManager[nn.Module]:
        """Inside it, the network with averaged weights."""

    @abstractmethod
    def draw(self, network: nn.Module, num: int) -> Tensor:
        """`num` pictures [num, 1, 128, 128] in [0, 1] of that network, by torch's global stream."""

    def sample(self, num: int, seed: int) -> NDArray[np.uint8]:
        """Pictures uint8 [num, 128, 128, 1] of the averaged weights; training does not notice."""
        with torch.random.fork_rng(), torch.no_grad(), self.averaged() as network:
            torch.manual_seed(seed)
            x = self.draw(network, num)
        pixels = (x.clamp(0, 1) * 255).round().to(torch.uint8)
        return pixels.permute(0, 2, 3, 1).contiguous().numpy()

    def weights(self) -> dict[str, Tensor]:
        """The averaged weights, copied."""
        with self.averaged() as network:
            return {k: v.detach().clone().contiguous() for k, v in network.state_dict().items()}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Takes weights to draw with."""
        self.network.load_state_dict(weights)
        self.start_average()

    @property
    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.network.parameters())


def adapter(name: str) -> ModuleType:
    """The adapter of a peer: PACKAGES, SETTINGS, `samplers_of(setting)` (its default one first) and
    `build(setting, sampler)`.

    UserError: no such peer, or its packages are not installed.
    """
    if name not in PEERS:
        raise UserError(f"peer {name!r}", "there is none", f"Use one of {', '.join(PEERS)}")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"peer {name!r}",
            f"its package {error.name} is not installed",
            "See benchmarks/peers/README.md",
        ) from error


def build(name: str, setting: str, sampler: str | None, seed: int) -> tuple[Peer, dict[str, Any]]:
    """A peer at step 0 and a record of all that it was built from; UserError: no such name."""
    module = adapter(name)
    settings = _known(name, "setting", setting, module.SETTINGS)
    samplers = module.samplers_of(settings)
    chosen = sampler or next(iter(samplers))
    sampler_settings = _known(f"{name} {setting}", "sampler", chosen, samplers)
    torch.manual_seed(seed)
    peer: Peer = module.build(settings, sampler_settings)
    record = {
        "peer": name,
        "setting": setting,
        "settings": asdict(settings),
        "sampler": chosen,
        "sampler_settings": asdict(sampler_settings),
        "num_parameters": peer.num_parameters,
        "fast_in_bfloat16": is_fast_in_bfloat16(),
        "packages": list(module.PACKAGES),
    }
    return peer, record


def _known(owner: str, what: str, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        rule = f"{owner} has none of that name"
        raise UserError(f"{what} {name!r}", rule, f"Use one of {', '.join(known)}")
    return known[name]
