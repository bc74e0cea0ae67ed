"""Pictures as training data, with captions or without."""

import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from imagespace.checkpoints import ModelConfig
from imagespace.errors import UserError
from imagespace.networks.growth import grown
from imagespace.networks.transformer import PatchTransformer
from imagespace.pictures.folder import PictureSet
from imagespace.pipeline import Model, PromptWarning, from_pixels
from imagespace.pipeline.band_loss import ValidationSet
from imagespace.randomness import generator
from imagespace.text.vectors import TextEncoder
from imagespace.training.augmentation import augment, draw_labels
from imagespace.training.captions import build_caption_table
from imagespace.training.config import RunConfig
from imagespace.training.data import TrainingData
from imagespace.training.order import EpochOrder, evenly
from imagespace.training.sketch_fit import fit_sketch

NUM_UNPROMPTED_SAMPLES = 36


class PictureData(TrainingData):
    """Pictures; which of them step k sees derives from (seed, k).

    Captions are read if the network reads text, which takes an encoder. `initial` is the
    model that the run begins with; its network may have fewer blocks.
    """

    def __init__(
        self,
        config: RunConfig,
        pictures: PictureSet,
        encoder: TextEncoder | None,
        initial: Model | None = None,
    ) -> None:
        self.config, self.training = config, config.training
        self.pictures, self.encoder, self.initial = pictures, encoder, initial
        self.key = pictures.key
        self.rows = pictures.indices("train")
        if not len(self.rows):
            raise UserError("training split", "has no pictures", "Mark pictures with split train")
        length = config.model.network.max_text_tokens
        assert bool(length) == (encoder is not None)
        self.captions = build_caption_table(pictures, encoder, length) if encoder else None
        self.order = EpochOrder(self.rows, self.training.seed)

    def batch(self, step: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Pictures [B, C, H, W] of a step; their text states [B, L, D], and how they are changed.

        The labels of the change [B, A] are there if the configuration asks for any.
        """
        chosen = self.chosen(step)
        x_0, text = self.clean_samples(chosen), self.text(step, chosen)
        if not self.training.augmentation.num_labels:
            return x_0, (text,)
        random = generator(self.training.seed, "augmentation", step)
        labels = draw_labels(self.training.augmentation, len(chosen), random)
        return augment(x_0, labels), (text, labels)

    def fit_first(self, network: nn.Module) -> None:
        assert isinstance(network, PatchTransformer)
        if self.initial is not None:
            fresh = network.state_dict()
            begun = grown(self.initial.network.state_dict(), network.config.depth)
            # The labels of changes are new to a model that was trained without any, and unused by
            # a run without any.
            network.load_state_dict(fresh | {name: begun[name] for name in fresh if name in begun})
        is_fitted = self.initial is not None and self.initial.config.data_key == self.key
        if network.config.sketch_side_px and not is_fitted:
            fit_sketch(network.sketch, self.rows, self.sketch_batch, self.training)

    def sketch_batch(
        self, rows: NDArray[np.int64], random: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Unchanged samples [B, C, H, W] of these rows, and their text states [B, L, D]."""
        assert self.captions is not None
        assert self.encoder is not None
        chosen = self.captions.choose(torch.from_numpy(rows), self.training, random)
        return self.clean_samples(rows), self.encoder.states(chosen)

    def chosen(self, step: int) -> NDArray[np.int64]:
        """The rows [B] of the pictures that step k sees."""
        return self.order.batch(step, self.training.batch_size)

    def text(self, step: int, chosen: NDArray[np.int64]) -> Tensor:
        """The text states [B, L, D] of a step's pictures; [B, 0] where none is read."""
        if self.captions is None or self.encoder is None:
            return torch.empty(len(chosen), 0)
        random = generator(self.training.seed, "captions", step)
        rows = torch.from_numpy(chosen)
        return self.encoder.states(self.captions.choose(rows, self.training, random))

    def clean_samples(self, rows: NDArray[np.int64]) -> Tensor:
        """What the network denoises of the pictures of these rows, unchanged, [N, ...]."""
        return from_pixels(np.ascontiguousarray(self.pictures.pixels[rows]))

    def validation(self) -> ValidationSet:
        """Held-out pictures under their full captions (all of them, if there are no held-out)."""
        rows = self.pictures.indices("validation")
        rows = evenly(rows if len(rows) else self.rows, self.training.num_validation)
        x_0 = self.clean_samples(rows)
        text = torch.empty(len(rows), 0)
        if self.captions is not None and self.encoder is not None:
            token_ids = self.captions.token_ids[self.captions.full[torch.from_numpy(rows)]]
            text = self.encoder.states(token_ids)
        return ValidationSet(x_0, text)

    def model_config(self) -> ModelConfig:
        fingerprint = self.encoder.fingerprint if self.encoder is not None else ""
        about = {"text_fingerprint": fingerprint, "data_key": self.key}
        return self.config.model.model_copy(update=about)

    def save_samples(self, model: Model, path: Path) -> None:
        """A grid of the configured prompts, or a sheet of a model that has none."""
        if self.encoder is None:
            model.generate(num=NUM_UNPROMPTED_SAMPLES).save(path)
        elif self.training.sample_prompts:
            prompts, num = self.training.sample_prompts, self.training.samples_per_prompt
            with warnings.catch_warnings():
                # Captions that are cut were told of before the training, all together.
                warnings.simplefilter("ignore", PromptWarning)
                model.generate(prompts, num, truncate=True).save(path)
