"""Points as training data: a coin, a line, a cloud in the plane."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from imagespace.checkpoints import ModelConfig
from imagespace.pictures.scatter import scatter
from imagespace.pipeline import Model
from imagespace.randomness import generator
from imagespace.training.config import RunConfig
from imagespace.training.data import TrainingData
from imagespace.training.validation import ValidationSet


class PointData(TrainingData):
    """Points [N, D]; a tenth of them, the last, are held out."""

    def __init__(self, config: RunConfig, points: Tensor) -> None:
        self.config, self.training = config, config.training
        num_train = max(1, len(points) - len(points) // 10)
        self.train, self.held_out = points[:num_train], points[num_train:]
        digest = hashlib.sha256(points.contiguous().numpy().tobytes())
        self.key = digest.hexdigest()[:16]

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        random = generator(self.training.seed, "points", step)
        rows = torch.randint(len(self.train), (self.training.batch_size,), generator=random)
        return self.train[rows], torch.empty(len(rows), 0)

    def validation(self) -> ValidationSet:
        points = self.held_out if len(self.held_out) else self.train
        points = points[: self.training.num_validation]
        return ValidationSet(points, torch.empty(len(points), 0))

    def model_config(self) -> ModelConfig:
        return self.config.model

    def save_samples(self, model: Model, path: Path) -> None:
        """A scatter of as many drawn points as are held out beside them."""
        drawn = model.sample(len(self.validation().x_0), self.training.seed)
        scatter({"data": self.validation().x_0, "drawn": drawn}).save(path)
