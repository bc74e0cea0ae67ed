"""What is measured: a model, the real pictures that it learnt from, and those it never saw."""

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from imagespace.errors import UserError
from imagespace.networks.transformer import TransformerConfig
from imagespace.pictures.folder import PictureSet, read_folder
from imagespace.pictures.glyphs import build_glyphs
from imagespace.pictures.split import HELD_OUT, TRAIN, VALIDATION
from imagespace.pipeline import LARGEST_BATCH, Model, PictureSettings
from imagespace.pipeline.settings import SamplingOptions
from imagespace.randomness import generator

GLYPH_CACHE = Path.home() / ".cache" / "imagespace"

Progress = Callable[[int, int], None]


def pictures_of(
    model: Model, data: Path | None = None, progress: Progress | None = None
) -> PictureSet:
    """The real pictures of a model at its size, from a folder.

    Without a folder the glyphs are rendered once into the user's cache. UserError: a model of
    points, or one that is not of glyphs without its folder.
    """
    network = model.config.network
    if not isinstance(network, TransformerConfig):
        raise UserError(model.source, "draws points", "Name a model of pictures")
    if data is None:
        if model.config.name != "glyphs":
            raise UserError(
                f"model {model.source}",
                "its pictures are needed to compare with",
                "Name the folder that it was trained on with --data",
            )
        data = GLYPH_CACHE / f"glyphs-{network.image_size_px}"
        if not (data / "metadata.jsonl").is_file():
            build_glyphs(data, network.image_size_px)
    shape = (network.image_size_px, network.num_channels)
    return read_folder(data, *shape, progress, model.config.fit)


@dataclass(frozen=True)
class Subject:
    """A model with its real pictures, and how many of each to look at.

    Samples are drawn for the captions of unseen pictures, one each as far as they go, so that
    they can be compared with those very pictures as a set and one by one.
    """

    model: Model
    pictures: PictureSet
    num: int
    seed: int
    dtype: torch.dtype = torch.float32

    @cached_property
    def is_captioned(self) -> bool:
        """Whether the model follows prompts and the pictures have captions."""
        return self.model.encoder is not None and any(self.pictures.captions)

    @cached_property
    def unseen(self) -> NDArray[np.int64]:
        """At most `num` rows of splits validation and held_out, in an order that the seed gives.

        UserError: there are none.
        """
        rows = np.concatenate([self._rows(HELD_OUT), self._rows(VALIDATION)])
        if not len(rows):
            raise UserError("the data", "has no held-out pictures", "Mark some with split held_out")
        return self._shuffled(rows, "unseen")[: self.num]

    @cached_property
    def training(self) -> NDArray[np.int64]:
        """As many training rows as unseen ones, to see how far real pictures are from real ones."""
        return self._shuffled(self._rows(TRAIN), "training")[: len(self.unseen)]

    @cached_property
    def sample_rows(self) -> NDArray[np.int64]:
        """The row [num] whose caption prompts each sample; unseen ones, repeated if too few."""
        try:
            rows = self.unseen
        except UserError:
            rows = self._shuffled(self._rows(TRAIN), "training")
        return np.resize(rows, self.num)

    def pixels(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Real pictures uint8 [N, H, W, C]."""
        return np.ascontiguousarray(self.pictures.pixels[rows])

    def settings(self, **sampling: SamplingOptions) -> list[PictureSettings]:
        """One sample for each of `sample_rows`; sample i has seed + i."""
        captions = self.pictures.captions
        prompts = [captions[row] if self.is_captioned else "" for row in self.sample_rows]
        return self.settings_for(prompts, **sampling)  # type: ignore[arg-type]

    def settings_for(
        self, prompts: list[str], **sampling: SamplingOptions
    ) -> list[PictureSettings]:
        """Settings of one sample for each prompt, with seeds from `seed` on."""
        chosen: list[PictureSettings] = []
        for index, prompt in enumerate(prompts):
            chosen += self.model.settings(prompt, seed=self.seed + index, truncate=True, **sampling)  # type: ignore[arg-type]
        return chosen

    def draw(
        self, settings: list[PictureSettings], progress: Progress | None = None
    ) -> NDArray[np.uint8]:
        """Samples uint8 [N, H, W, C] in the faster arithmetic."""
        faster = self.dtype == torch.bfloat16
        parts = []
        for start in range(0, len(settings), LARGEST_BATCH):
            arithmetic = torch.autocast("cpu", torch.bfloat16) if faster else nullcontext()
            with arithmetic, warnings.catch_warnings():
                # Autocast warns about mixed types that are meant.
                warnings.filterwarnings("ignore", message="Mismatch dtype")
                parts.append(self.model.draw(settings[start : start + LARGEST_BATCH]).pixels)
            if progress is not None:
                progress(min(start + LARGEST_BATCH, len(settings)), len(settings))
        return np.concatenate(parts)

    def _rows(self, split: str) -> NDArray[np.int64]:
        """Rows of a split; of a captioned set only those with a caption, which prompts show."""
        rows = self.pictures.indices(split)
        if not self.is_captioned:
            return rows
        captioned = [row for row in rows if self.pictures.captions[row]]
        return np.array(captioned, dtype=np.int64)

    def _shuffled(self, rows: NDArray[np.int64], name: str) -> NDArray[np.int64]:
        order = torch.randperm(len(rows), generator=generator(self.seed, f"evaluation/{name}"))
        chosen: NDArray[np.int64] = rows[order.numpy()]
        return chosen
