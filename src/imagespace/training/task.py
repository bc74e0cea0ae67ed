"""What the training loop asks of a task: samples by step, a judgement and a file of the weights."""

from abc import ABC, abstractmethod
from pathlib import Path

import torch
from torch import Tensor, nn


class Task(ABC):
    """Samples by step, a function of (seed, step) that is never remembered; and what comes of it.

    The loss, which needs no data, is `loss.TrainingLoss`.
    """

    key: str
    """Fingerprint: a run continues only on the data that it began with."""
    keeps_early = True
    """Whether early weights are kept, for autoguidance."""

    @abstractmethod
    def batch(self, step: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Clean samples [B, ...] of a step, and what the network is told of them, each [B, ...]."""

    def fit_first(self, network: nn.Module) -> None:
        """Fits what of a fresh network is fitted before the first step and then stays."""
        return  # nothing, in most tasks

    @abstractmethod
    def evaluate(
        self, weights: dict[str, Tensor], dtype: torch.dtype, run: Path, samples: Path
    ) -> dict[str, float]:
        """Held-out figures of `weights` of the run folder `run`; also draws the PNG `samples`."""

    def completed(self, weights: dict[str, Tensor], in_passing: bool) -> dict[str, Tensor]:
        """`weights` with what is measured once they are found.

        `in_passing`: they are those of a run that goes on, whose clock a rough measure spares.
        """
        return weights

    @abstractmethod
    def save(self, path: Path, weights: dict[str, Tensor]) -> None:
        """Writes completed `weights` as the file that this task's models are read from."""
