"""Pictures of the plain nouns, and how often the judge reads the noun's own radical in them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagespace.diffusion.guidance import Guidance
from imagespace.diffusion.samplers import Sampler
from imagespace.evaluation.nouns import NOUNS
from imagespace.lab.laboratory import Laboratory
from imagespace.lab.standard_errors import share_and_error
from imagespace.lab.walks import end_of_walk, start_noise, step_noise
from imagespace.pipeline import LARGEST_BATCH, to_pixels


@dataclass(frozen=True)
class NounPictures:
    """Pictures x_0 [N, C, H, W] with the number of each one's noun, int64 [N]; nouns in turn."""

    x_0: Tensor
    nouns: NDArray[np.int64]

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """As uint8 [N, H, W, C]."""
        return to_pixels(self.x_0)


def prompted(
    laboratory: Laboratory,
    prompts: list[str],
    weight: float,
    interval: tuple[float, float] | None = None,
    rescale: float = 0.0,
) -> Guidance:
    """The guided denoiser under these prompts; the model's own interval unless another is given."""
    model = laboratory.model
    bounds = model.config.sampling.guidance_interval if interval is None else interval
    good, bad = model.denoiser(prompts), model.denoiser([""] * len(prompts))
    return Guidance(good, bad, weight, bounds, rescale)


def noun_pictures(
    laboratory: Laboratory,
    num_nouns: int,
    num_per_noun: int,
    sampler: Callable[[], Sampler],
    times: list[float],
    weight: float,
    interval: tuple[float, float] | None = None,
    rescale: float = 0.0,
) -> NounPictures:
    """Pictures of the first nouns; picture i starts from the same noise whatever the settings."""
    nouns = np.tile(np.arange(num_nouns), num_per_noun)
    parts = []
    for first in range(0, len(nouns), LARGEST_BATCH):
        chosen = nouns[first : first + LARGEST_BATCH]
        numbers = range(first, first + len(chosen))
        denoiser = prompted(
            laboratory, [NOUNS[noun].prompt for noun in chosen], weight, interval, rescale
        )
        x_1 = start_noise(laboratory, "nouns", numbers)
        noise = step_noise(laboratory, "nouns/step", numbers)
        parts.append(end_of_walk(denoiser, x_1, times, sampler(), noise))
    return NounPictures(torch.cat(parts), nouns)


def hits(laboratory: Laboratory, drawn: NounPictures) -> NDArray[np.bool_]:
    """Whether the judge reads each picture's own radical, [N]."""
    wanted = np.array([noun.radical for noun in NOUNS])[drawn.nouns]
    read: NDArray[np.bool_] = laboratory.judge.predict(drawn.pixels) == wanted
    return read


def hit_rate(laboratory: Laboratory, drawn: NounPictures) -> tuple[float, float]:
    """The share of pictures that show their noun's radical, and its binomial standard error."""
    return share_and_error(hits(laboratory, drawn))
