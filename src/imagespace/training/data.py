"""What the training loop asks of its data, be it pictures or points."""

from abc import ABC, abstractmethod
from pathlib import Path

from torch import Tensor

from imagespace.checkpoints import ModelConfig
from imagespace.pipeline import Model
from imagespace.pipeline.band_loss import ValidationSet
from imagespace.text.vectors import TextEncoder


class TrainingData(ABC):
    """Samples and conditions by step: a function of (seed, step), never remembered."""

    key: str
    """Fingerprint: a run continues only on the data that it began with."""
    encoder: TextEncoder | None = None

    @abstractmethod
    def batch(self, step: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Clean samples [B, ...] of a step, and what the network is told of them, each [B, ...]."""

    @abstractmethod
    def validation(self) -> ValidationSet:
        """Samples for the held-out loss (training ones, if there are no held-out)."""

    @abstractmethod
    def model_config(self) -> ModelConfig:
        """The model's configuration, bound to the text encoder that it is trained with."""

    @abstractmethod
    def save_samples(self, model: Model, path: Path) -> None:
        """Draws with fixed seeds and writes a PNG."""
