"""What a network is asked to make small: a function of (samples, conditions, step)."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from imagespace.diffusion.objective import sample_times, squared_error
from imagespace.networks.build import build_network
from imagespace.precision import products_in
from imagespace.randomness import generator
from imagespace.training.config import RunConfig


class TrainingLoss(ABC):
    """The network that is trained, and its loss."""

    @abstractmethod
    def build_network(self) -> nn.Module:
        """A network with fresh weights from torch's global generator."""

    def is_matrix(self, name: str, parameter: Tensor) -> bool:
        """Whether a weight is one of the blocks' matrices, which have an optimiser of their own."""
        of_block = name.startswith("blocks.") and name.endswith(".weight")
        return of_block and parameter.dim() == 2

    @abstractmethod
    def __call__(
        self,
        forward: Callable[..., Any],
        x_0: Tensor,
        conditions: tuple[Tensor, ...],
        step: int,
        dtype: torch.dtype,
    ) -> Tensor:
        """The loss of clean samples x_0 [B, ...] and conditions [B, ...], a scalar.

        Draws derive from (seed, stream, `step`); products run in `dtype`.
        """


class DiffusionLoss(TrainingLoss):
    """Squared error of the prediction at times and with noise drawn afresh at every step."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config

    def build_network(self) -> nn.Module:
        return build_network(self.config.model.network)

    def __call__(
        self,
        forward: Callable[..., Tensor],
        x_0: Tensor,
        conditions: tuple[Tensor, ...],
        step: int,
        dtype: torch.dtype,
    ) -> Tensor:
        objective = self.config.model.objective
        schedule = objective.build_schedule()
        random = generator(self.config.training.seed, "noise", step)
        # Drawn on the processor, wherever the network computes: the same noise on any device.
        t = sample_times(objective, len(x_0), random).to(x_0.device)
        eps = torch.randn(x_0.shape, generator=random).to(x_0.device)
        x_t = schedule.add_noise(x_0, eps, t)
        with products_in(dtype, x_0.device):
            output = forward(*schedule.network_input(x_t, t), *conditions)
        return squared_error(output.float(), x_0, x_t, eps, t, objective, schedule).mean()
