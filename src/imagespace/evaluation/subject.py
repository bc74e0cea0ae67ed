"""What is measured: a model, the real pictures that it learnt from, and those it never saw."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from imagespace.diffusion.samplers import Step
from imagespace.errors import UserError
from imagespace.evaluation.held_out import is_unread
from imagespace.networks.transformer import TransformerConfig
from imagespace.pictures.folder import PictureSet, read_folder
from imagespace.pictures.glyphs import build_glyphs
from imagespace.pictures.radicals import NUM_RADICALS
from imagespace.pictures.split import HELD_OUT, TRAIN, VALIDATION
from imagespace.pipeline import LARGEST_BATCH, Model, PictureSettings, PromptWarning
from imagespace.pipeline.settings import SamplingOptions, sampling_config
from imagespace.precision import arithmetic, has_compiler
from imagespace.randomness import generator

GLYPH_CACHE = Path.home() / ".cache" / "imagespace"

# A network is compiled in some 20 s, and then answers a third faster (docs/experiments.md).
FEWEST_COMPILED = 1000

Progress = Callable[[int, int], None]


def pictures_of(
    model: Model, data: Path | None = None, progress: Progress | None = None
) -> PictureSet:
    """The real pictures of a model at its size, from a folder.

    Without a folder the glyphs are rendered once into the user's cache. UserError: a model of
    points, or one that is not of glyphs without its folder.
    """
    if not isinstance(model.config.network, TransformerConfig):
        raise UserError(model.source, "draws points", "Name a model of pictures")
    if data is None:
        data = glyph_folder(model)
        if not (data / "metadata.jsonl").is_file():
            build_glyphs(data, model.config.picture_shape[1])
    channels, size_px, _ = model.config.picture_shape
    return read_folder(data, size_px, channels, progress, model.config.fit)


def glyph_folder(model: Model) -> Path:
    """Where the glyphs of a model's size are kept. UserError: it is not a model of glyphs."""
    if model.config.name != "glyphs":
        raise UserError(
            f"model {model.source}",
            "its pictures are needed to compare with",
            "Name the folder that it was trained on with --data",
        )
    return GLYPH_CACHE / f"glyphs-{model.config.picture_shape[1]}"


@dataclass(frozen=True)
class Subject:
    """A model with its real pictures, and how many of each to look at.

    Samples are drawn for the captions of unseen pictures, one each, so that they can be compared
    with those very pictures as a set and one by one. A caption is not asked for twice: samples of
    one prompt are like each other, and no standard error here knows of that.
    """

    model: Model
    pictures: PictureSet
    num: int
    seed: int
    dtype: torch.dtype = torch.float32

    @cached_property
    def is_captioned(self) -> bool:
        """Whether the model follows prompts and the pictures have captions that it can read."""
        return self.model.encoder is not None and any(map(self._reads, self.pictures.captions))

    @cached_property
    def is_glyphs(self) -> bool:
        """Whether every picture says which character it shows, and under which radical it is."""
        return all(map(_names_its_character, self.pictures.metadata))

    @cached_property
    def unseen(self) -> NDArray[np.int64]:
        """At most `num` rows of splits validation and held_out, in an order that the seed gives.

        UserError: there are none.
        """
        if not self.has_unseen:
            raise UserError("the data", "has no held-out pictures", "Mark some with split held_out")
        return self._shuffled(self._unseen_rows, "unseen")[: self.num]

    @cached_property
    def has_unseen(self) -> bool:
        """Whether there is any unseen picture."""
        return len(self._unseen_rows) > 0

    @cached_property
    def training(self) -> NDArray[np.int64]:
        """As many training rows as unseen ones, to see how far real pictures are from real ones.

        UserError: there are none.
        """
        rows = self._rows(TRAIN)
        if not len(rows):
            raise UserError("the data", "has no training pictures", "Mark some with split train")
        num = len(self.unseen) if self.has_unseen else self.num
        return self._shuffled(rows, "training")[:num]

    @cached_property
    def sample_rows(self) -> NDArray[np.int64]:
        """The rows whose captions prompt the samples, one each: unseen ones if there are any."""
        if self.has_unseen:
            return self.unseen
        return self._readable(self._shuffled(self._rows(TRAIN), "training"))[: self.num]

    @cached_property
    def num_samples(self) -> int:
        """How many samples are drawn: one for each of `sample_rows`, or without captions `num`."""
        return len(self.sample_rows) if self.is_captioned else self.num

    @property
    def num_pairs(self) -> int:
        """How many of the first samples are each of the prompt of the unseen picture in its place.

        Such a sample is no independent one of that very picture.
        """
        return len(self.unseen) if self.is_captioned and self.has_unseen else 0

    @cached_property
    def unread(self) -> NDArray[np.bool_]:
        """Of each sample, whether training never read its caption, nor a sense or alternative."""
        return is_unread(self.pictures, self.sample_rows)

    @cached_property
    def followed(self) -> NDArray[np.int64]:
        """The samples by which prompt following is judged: those whose caption was never read.

        Training reads the senses and alternatives of captions too (held_out.py). Where it read
        every caption, all samples are judged, and a note says so.
        """
        return np.flatnonzero(self.unread if self.unread.any() else np.ones_like(self.unread))

    @cached_property
    def notes(self) -> list[str]:
        """What of the pictures is left out, and what the prompts are where they are not new."""
        notes = []
        if not self.is_glyphs and any("radical" in row for row in self.pictures.metadata):
            notes.append(
                "radicals and legibility: not every picture has a radical (1 to "
                f"{NUM_RADICALS}) and a character"
            )
        if not self.is_captioned:
            return notes
        left_out = sum(len(self.pictures.indices(split)) for split in (HELD_OUT, VALIDATION))
        if left_out := left_out - len(self._unseen_rows):
            notes.append(f"{left_out} unseen pictures have no caption that can be read: left out")
        if self.num_samples < self.num:
            notes.append(
                f"{self.num_samples} samples instead of {self.num}: one for each "
                f"{'unseen' if self.has_unseen else 'training'} caption"
            )
        if not self.unread.any():
            notes.append(
                "prompt following: every prompt is a caption that training read, and says nothing "
                "of new ones"
            )
        return notes

    def pixels(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Real pictures uint8 [N, H, W, C]."""
        return np.ascontiguousarray(self.pictures.pixels[rows])

    def settings(self, **sampling: SamplingOptions) -> list[PictureSettings]:
        """One for each sample; sample i has seed + i, and without captions no prompt."""
        if self.is_captioned:
            prompts = [self.pictures.captions[row] for row in self.sample_rows]
            with warnings.catch_warnings():
                # Captions are the set's own: how hundreds of them are read is no news.
                warnings.simplefilter("ignore", PromptWarning)
                return self.settings_for(prompts, **sampling)  # type: ignore[arg-type]
        model = self.model
        # A model that follows prompts refuses an empty one, but was trained without them too.
        plain = PictureSettings(
            prompt="",
            model=model.source,
            model_sha256=model.sha256,
            sampling=sampling_config(model.config.sampling, {**sampling, "guidance": 1.0}),  # type: ignore[typeddict-item]
            num_threads=torch.get_num_threads(),
        )
        return [plain.model_copy(update={"seed": self.seed + i}) for i in range(self.num)]

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
        parts = []
        for start in range(0, len(settings), LARGEST_BATCH):
            batch = settings[start : start + LARGEST_BATCH]
            # A batch of another size would be compiled again, for itself alone.
            model = self._compiled if len(batch) == LARGEST_BATCH else self.model
            with arithmetic(self.dtype):
                parts.append(model.draw(batch).pixels)
            if progress is not None:
                progress(min(start + LARGEST_BATCH, len(settings)), len(settings))
        return np.concatenate(parts)

    def steps(self, settings: list[PictureSettings]) -> Iterator[Step]:
        """The walk of one batch in the faster arithmetic, which ends where a step is handed out."""
        walk = self.model.steps(settings)
        while True:
            with arithmetic(self.dtype):
                step = next(walk, None)
            if step is None:
                return
            yield step

    @cached_property
    def _compiled(self) -> Model:
        """The model for whole batches: compiled, where many are drawn and it can be."""
        model = self.model
        if self.num_samples < FEWEST_COMPILED or not has_compiler(model.device):
            return model
        compiled = Model(
            model.config,
            torch.compile(model.network),  # type: ignore[arg-type]
            model.encoder,
            model.sha256,
            model.source,
            model.autoencoder,
        )
        x_t = torch.zeros(LARGEST_BATCH, *model.config.network.sample_shape)
        try:
            with torch.inference_mode(), arithmetic(self.dtype):
                compiled.denoiser([""] * LARGEST_BATCH)(x_t, torch.tensor(0.5))
        except Exception:  # a compiler that fails where `has_compiler` does not foresee it
            return model
        return compiled

    @cached_property
    def _unseen_rows(self) -> NDArray[np.int64]:
        return self._readable(np.concatenate([self._rows(HELD_OUT), self._rows(VALIDATION)]))

    def _readable(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of a captioned set, the rows whose caption has a word that the model knows."""
        if not self.is_captioned:
            return rows
        read = np.array([self._reads(self.pictures.captions[row]) for row in rows], dtype=bool)
        chosen: NDArray[np.int64] = rows[read]
        return chosen

    def _reads(self, caption: str) -> bool:
        encoder = self.model.encoder
        assert encoder is not None
        try:
            encoder.check_prompt(caption, self.model.config.network.max_text_tokens, truncate=True)
        except UserError:
            return False
        return True

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


def _names_its_character(row: dict[str, Any]) -> bool:
    others, character = row.get("other_radicals") or [], row.get("character")
    if not isinstance(others, list) or not isinstance(character, str) or len(character) != 1:
        return False
    return all(
        isinstance(radical, int) and 1 <= radical <= NUM_RADICALS
        for radical in (row.get("radical"), *others)
    )
