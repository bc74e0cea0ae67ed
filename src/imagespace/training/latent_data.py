"""Latents as training data: every picture is encoded once, in a few looks if they are varied.

Shifts, scales and colours act on pixels, so a varied picture must be encoded anew. Encoding a
picture costs a quarter of a training step on it at 256 px, and as much as one at 512 px
(benchmarks/space_cost.py): instead of a new change at every step, each picture is changed and
encoded a few times, and a step chooses among these looks. The first is the picture as it is.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagespace.networks.autoencoder import Autoencoder
from imagespace.pictures.folder import PictureSet
from imagespace.pictures.latent_cache import cached_latents, latent_rows, latents_key
from imagespace.pipeline import Model, from_pixels
from imagespace.randomness import generator
from imagespace.text.vectors import TextEncoder
from imagespace.training.augmentation import augment, draw_labels
from imagespace.training.config import RunConfig
from imagespace.training.picture_data import PictureData


class LatentData(PictureData):
    """The latents of pictures; `folder` is where their cache is kept, beside the pictures.

    `progress(done, total)` is called while pictures are encoded.
    """

    autoencoder: Autoencoder

    def __init__(
        self,
        config: RunConfig,
        pictures: PictureSet,
        encoder: TextEncoder | None,
        autoencoder: Autoencoder,
        folder: Path,
        progress: Callable[[int, int], None] | None = None,
        initial: Model | None = None,
    ) -> None:
        super().__init__(config, pictures, encoder, initial)
        self.autoencoder = autoencoder
        augmentation = self.training.augmentation
        num_looks = self.training.num_latent_looks if augmentation.num_labels else 1
        encoded = latent_rows(pictures)
        # Where the latents of a row of the pictures are; -1: in no cache.
        self._place = np.full(len(pictures), -1, dtype=np.int64)
        self._place[encoded] = np.arange(len(encoded))
        self._looks: list[NDArray[np.float16]] = []
        self._labels = [torch.zeros(len(pictures), augmentation.num_labels)]
        for look in range(1, num_looks):
            random = generator(0, "looks", look)
            self._labels.append(draw_labels(augmentation, len(pictures), random))
        total = num_looks * len(encoded)
        for look in range(num_looks):
            self._looks.append(self._encoded(look, encoded, folder, progress, total))

    def _encoded(
        self,
        look: int,
        rows: NDArray[np.int64],
        folder: Path,
        progress: Callable[[int, int], None] | None,
        total: int,
    ) -> NDArray[np.float16]:
        model, labels = self.config.model, self._labels[look]
        about = self.training.augmentation.model_dump(mode="json") | {"chances": "one a kind"}
        key = latents_key(self.pictures, model.autoencoder_sha256, look, about if look else None)

        def encode(chunk: NDArray[np.int64]) -> Tensor:
            x_0 = from_pixels(np.ascontiguousarray(self.pictures.pixels[chunk]))
            return self.autoencoder.encode(augment(x_0, labels[chunk]) if look else x_0)

        def report(num_done: int) -> None:
            if progress is not None:
                progress(look * len(rows) + num_done, total)

        _, height, width = model.picture_shape
        shape = model.network.sample_shape
        assert len(shape) == 3
        return cached_latents(folder, key, rows, shape, height * width, encode, report)

    def batch(self, step: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Latents [B, Z, H, W] of a step; text states and labels as those of pictures."""
        chosen = self.chosen(step)
        text = self.text(step, chosen)
        if len(self._looks) == 1:
            return self._latents(chosen, np.zeros(len(chosen), np.int64)), (text,)
        random = generator(self.training.seed, "look", step)
        looks = torch.randint(len(self._looks), (len(chosen),), generator=random).numpy()
        labels = torch.stack(
            [self._labels[look][row] for look, row in zip(looks, chosen, strict=True)]
        )
        return self._latents(chosen, looks), (text, labels)

    def clean_samples(self, rows: NDArray[np.int64]) -> Tensor:
        """Latents [N, Z, H, W] of unchanged pictures of splits train and validation."""
        return self._latents(rows, np.zeros(len(rows), np.int64))

    def _latents(self, rows: NDArray[np.int64], looks: NDArray[np.int64]) -> Tensor:
        places = self._place[rows]
        assert (places >= 0).all()
        found = np.stack(
            [self._looks[look][place] for look, place in zip(looks, places, strict=True)]
        )
        return torch.from_numpy(found).float()
