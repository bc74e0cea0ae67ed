"""Drawing a picture again from its own noise, or one between two from the noise between theirs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser
from imagespace.diffusion.inversion import InverseDDIM, inversion_times
from imagespace.diffusion.samplers import DDIM, Step, walk
from imagespace.diffusion.slerp import slerp
from imagespace.pipeline.settings import PictureSettings
from imagespace.pipeline.start import Start
from imagespace.randomness import picture_noise

if TYPE_CHECKING:
    from imagespace.pipeline.model import Model


def redrawn(
    model: "Model", denoiser: Denoiser, settings: Sequence[PictureSettings]
) -> Iterator[Step]:
    """The walk of pictures [B, ...] whose noise is found first; `denoiser` leads it back."""
    times = inversion_times(settings[0].sampling.num_steps, model.schedule)
    x_t, missed = _inverted(model, [(s.start, s.seed) for s in settings], times)
    ends = [(s.towards.start, s.towards.seed) for s in settings if s.towards is not None]
    if ends:
        there, missed_there = _inverted(model, ends, times)
        share = torch.tensor([s.share for s in settings])
        x_t = slerp(x_t, there, share)
        missed = torch.lerp(missed, missed_there, share.view(-1, *[1] * (x_t.dim() - 1)))
    for step in walk(denoiser, x_t, times, DDIM(), _no_noise):
        if step.index + 1 == step.num_steps:
            step = replace(step, x_next=denoiser(step.x_next, torch.tensor(times[-1])) + missed)
        yield step


def _inverted(
    model: "Model", starts: Sequence[tuple[Start | None, int]], times: list[float]
) -> tuple[Tensor, Tensor]:
    """The noises that redraw pictures, and what the model leaves out of each, [B, ...].

    A picture that stands several times with one seed is inverted once.
    """
    distinct = dict.fromkeys(starts)
    found: dict[tuple[Start | None, int], tuple[Tensor, Tensor]] = {}
    entry = torch.tensor(times[-1])
    for start in dict.fromkeys(start for start, _ in distinct):
        assert start is not None
        assert start.inverted_prompt is not None
        seeds = [seed for own, seed in distinct if own == start]
        x_0, _ = model.start_samples(start)
        eps = torch.stack([picture_noise(x_0.shape, seed, "start", [0])[0] for seed in seeds])
        x_0 = x_0.expand(eps.shape)
        under = model.denoiser([start.inverted_prompt] * len(seeds))
        x_t = model.schedule.add_noise(x_0, eps, entry)
        # What the model leaves out of the picture there is given back at the end.
        missed = x_0 - under(x_t, entry)
        for step in walk(under, x_t, times[::-1], InverseDDIM(), _no_noise):
            x_t = step.x_next
        for row, seed in enumerate(seeds):
            found[start, seed] = x_t[row], missed[row]
    return (
        torch.stack([found[start][0] for start in starts]),
        torch.stack([found[start][1] for start in starts]),
    )


def _no_noise(index: int) -> Tensor:
    raise AssertionError("the way back to a picture's noise draws none")
