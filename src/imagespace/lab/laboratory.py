"""What the experiments work with: a model, its pictures, a judge, and toy models on points."""

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagespace.errors import UserError
from imagespace.evaluation.radical_judge import RadicalJudge, load_radical_judge
from imagespace.evaluation.subject import pictures_of
from imagespace.networks.transformer import TransformerConfig
from imagespace.pictures.folder import PictureSet
from imagespace.pipeline import DEFAULT_MODEL, Model, from_pixels, load
from imagespace.randomness import generator
from imagespace.recipes import for_points, recipe
from imagespace.training.config import RunConfig
from imagespace.training.loop import train
from imagespace.training.point_data import PointData


@dataclass
class Laboratory:
    """One set-up for all experiments; what is costly is made when first asked for.

    `quick` asks for the smaller samples that let all experiments end in ten minutes.
    """

    model_name: str = DEFAULT_MODEL
    data: Path | None = None
    quick: bool = False
    seed: int = 0

    def num(self, quick: int, full: int) -> int:
        """How many samples an experiment draws."""
        return quick if self.quick else full

    def random(self, stream: str, *numbers: int) -> torch.Generator:
        """A generator named after its use."""
        return generator(self.seed, f"lab/{stream}", *numbers)

    @cached_property
    def model(self) -> Model:
        """The model under test. UserError: it draws points, not pictures."""
        model = load(self.model_name)
        if not isinstance(model.config.network, TransformerConfig):
            raise UserError(self.model_name, "draws points", "Name a model of pictures")
        model.check_draws_pixels("what the experiments measure")
        return model

    @cached_property
    def pictures(self) -> PictureSet:
        """Real pictures at the model's size, with captions, splits and metadata.

        Without a data folder, the glyphs are rendered once into the user's cache.
        """
        return pictures_of(self.model, self.data)

    def rows(self, split: str, num: int) -> NDArray[np.int64]:
        """At most `num` rows of a split, in an order that depends on the seed alone."""
        rows = self.pictures.indices(split)
        order = torch.randperm(len(rows), generator=self.random(f"rows/{split}")).numpy()
        chosen: NDArray[np.int64] = rows[order[:num]]
        return chosen

    def real(self, rows: NDArray[np.int64]) -> Tensor:
        """Real pictures [N, C, H, W] in [-1, 1]."""
        return from_pixels(np.ascontiguousarray(self.pictures.pixels[rows]))

    def radicals(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The radical of each row's glyph, 1..214. UserError: the pictures are not glyphs."""
        if "radical" not in self.pictures.metadata[0]:
            raise UserError(
                str(self.data), "has no radicals", "This experiment needs the glyphs model and data"
            )
        return np.array([int(self.pictures.metadata[row]["radical"]) for row in rows])

    @cached_property
    def judge(self) -> RadicalJudge:
        """Reads the radical of a drawn glyph."""
        return load_radical_judge(quick=True)

    def noise(self, stream: str, shape: tuple[int, ...], *numbers: int) -> Tensor:
        """Standard normal noise, named after its use."""
        return torch.randn(shape, generator=self.random(stream, *numbers))

    def train_on_points(self, points: Tensor, num_points_seen: int) -> Model:
        """A toy model, trained by the same loop; 1,000,000 points take about twenty seconds."""
        config = recipe("points", {"budget_images": num_points_seen}, self.seed)
        return self.train_on(points, for_points(config, points.shape[1]))

    def train_on(self, samples: Tensor, config: RunConfig) -> Model:
        """A model of samples [N, ...] without captions, trained by the same loop."""
        with tempfile.TemporaryDirectory() as folder:
            for _ in train(config, PointData(config, samples), Path(folder) / "run"):
                pass
            return load(Path(folder) / "run")
