"""Captioned pictures as training data."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imagespace.checkpoints import ModelConfig
from imagespace.errors import UserError
from imagespace.pictures.folder import PictureSet
from imagespace.pipeline import Model, from_pixels
from imagespace.pipeline.band_loss import ValidationSet
from imagespace.randomness import generator
from imagespace.text.vectors import TextEncoder
from imagespace.training.augmentation import augment, draw_labels
from imagespace.training.captions import build_caption_table
from imagespace.training.config import RunConfig
from imagespace.training.data import TrainingData


class PictureData(TrainingData):
    """Captioned pictures; which of them step k sees derives from (seed, k)."""

    encoder: TextEncoder

    def __init__(self, config: RunConfig, pictures: PictureSet, encoder: TextEncoder) -> None:
        self.config, self.training = config, config.training
        self.pictures, self.encoder = pictures, encoder
        self.key = pictures.key
        self.rows = pictures.indices("train")
        if not len(self.rows):
            raise UserError("training split", "has no pictures", "Mark pictures with split train")
        length = config.model.network.max_text_tokens
        self.captions = build_caption_table(pictures, encoder, length)
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def batch(self, step: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Pictures [B, C, H, W] of a step; their text states [B, L, D], and how they are changed.

        The labels of the change [B, A] are there if the configuration asks for any.
        """
        seed, size = self.training.seed, self.training.batch_size
        chosen = np.array([self._picture(step * size + k) for k in range(size)])
        random = generator(seed, "captions", step)
        token_ids = self.captions.choose(torch.from_numpy(chosen), self.training, random)
        x_0 = from_pixels(np.ascontiguousarray(self.pictures.pixels[chosen]))
        text = self.encoder.states(token_ids)
        if not self.training.augmentation.num_labels:
            return x_0, (text,)
        random = generator(seed, "augmentation", step)
        labels = draw_labels(self.training.augmentation, size, random)
        return augment(x_0, labels), (text, labels)

    def _picture(self, position: int) -> int:
        epoch, offset = divmod(position, len(self.rows))
        if epoch != self._epoch:
            random = generator(self.training.seed, "order", epoch)
            self._order = self.rows[torch.randperm(len(self.rows), generator=random).numpy()]
            self._epoch = epoch
        return int(self._order[offset])

    def validation(self) -> ValidationSet:
        """Held-out pictures under their full captions (all of them, if there are no held-out)."""
        rows = self.pictures.indices("validation")
        rows = (rows if len(rows) else self.rows)[: self.training.num_validation]
        token_ids = self.captions.token_ids[self.captions.full[torch.from_numpy(rows)]]
        x_0 = from_pixels(np.ascontiguousarray(self.pictures.pixels[rows]))
        return ValidationSet(x_0, self.encoder.states(token_ids))

    def model_config(self) -> ModelConfig:
        return self.config.model.model_copy(update={"text_fingerprint": self.encoder.fingerprint})

    def save_samples(self, model: Model, path: Path) -> None:
        """A grid of the configured prompts, or nothing where there are none."""
        if self.training.sample_prompts:
            prompts, num = self.training.sample_prompts, self.training.samples_per_prompt
            model.generate(prompts, num, truncate=True).save(path)
