"""Diffusion as a task of the training loop, be it of pictures or of points."""

from abc import abstractmethod
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from imagespace.checkpoints import ModelConfig, save_model, tensors_sha256, with_autoencoder
from imagespace.networks.autoencoder import Autoencoder
from imagespace.networks.build import build_network
from imagespace.pipeline import Model
from imagespace.pipeline.band_loss import ValidationSet
from imagespace.text.vectors import TextEncoder
from imagespace.training.config import RunConfig
from imagespace.training.task import Task


class TrainingData(Task):
    """Samples and conditions by step, judged by the held-out loss of each noise band."""

    config: RunConfig
    encoder: TextEncoder | None = None
    autoencoder: Autoencoder | None = None
    """What turned pictures into the samples, if they are latents."""

    @abstractmethod
    def validation(self) -> ValidationSet:
        """Samples for the held-out loss (training ones, if there are no held-out)."""

    @abstractmethod
    def model_config(self) -> ModelConfig:
        """The model's configuration, bound to the text encoder that it is trained with."""

    @abstractmethod
    def save_samples(self, model: Model, path: Path) -> None:
        """Draws with fixed seeds and writes a PNG."""

    def evaluate(
        self, weights: dict[str, Tensor], dtype: torch.dtype, run: Path, samples: Path
    ) -> dict[str, float]:
        """Held-out loss per noise band, and samples with fixed seeds."""
        config = self.config
        network = build_network(config.model.network).to(next(iter(weights.values())).device)
        network.load_state_dict(weights)
        network.eval()
        losses = self._validation.loss(network, config.model, config.training.seed, dtype)
        sha256, model = tensors_sha256(self._tensors(weights))[:16], self.model_config()
        drawing = Model(model, network, self.encoder, sha256, str(run), self.autoencoder)
        self.save_samples(drawing, samples)
        return losses

    def save(self, path: Path, weights: dict[str, Tensor]) -> None:
        save_model(path, self._tensors(weights), self.model_config())

    def _tensors(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """What a model's file holds: the network's weights, and what decodes its samples."""
        if self.autoencoder is None:
            return weights
        return with_autoencoder(weights, self.autoencoder)

    @cached_property
    def _validation(self) -> ValidationSet:
        return self.validation()
