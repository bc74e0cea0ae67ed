"""Points as training data: a coin, a cloud in the plane."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from imagespace.checkpoints import ModelConfig
from imagespace.pictures.scatter import scatter
from imagespace.pipeline import Model
from imagespace.pipeline.band_loss import ValidationSet
from imagespace.randomness import generator
from imagespace.training.config import RunConfig
from imagespace.training.data import TrainingData


def train_and_held_out(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Nine tenths of samples [N, ...] and the rest, chosen at random.

    Lists are often sorted: their last tenth would be a region, not a sample.
    """
    order = torch.randperm(len(samples), generator=generator(0, "split", len(samples)))
    num_train = max(1, len(samples) - len(samples) // 10)
    return samples[order[:num_train]], samples[order[num_train:]]


class PointData(TrainingData):
    """Points [N, D]; a tenth of them, chosen at random, is held out."""

    def __init__(self, config: RunConfig, samples: Tensor) -> None:
        self.config, self.training = config, config.training
        self.train, self.held_out = train_and_held_out(samples)
        digest = hashlib.sha256(samples.contiguous().numpy().tobytes())
        self.key = digest.hexdigest()[:16]

    def batch(self, step: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        random = generator(self.training.seed, "samples", step)
        rows = torch.randint(len(self.train), (self.training.batch_size,), generator=random)
        return self.train[rows], (torch.empty(len(rows), 0),)

    def validation(self) -> ValidationSet:
        samples = self.held_out if len(self.held_out) else self.train
        samples = samples[: self.training.num_validation]
        return ValidationSet(samples, torch.empty(len(samples), 0))

    def model_config(self) -> ModelConfig:
        return self.config.model

    def save_samples(self, model: Model, path: Path) -> None:
        """A scatter of held-out points and as many drawn ones."""
        held_out = self.validation().x_0
        drawn = model.sample(len(held_out), self.training.seed)
        scatter({"data": held_out, "drawn": drawn}).save(path)
