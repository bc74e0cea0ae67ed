"""From one stop to the next: between prompts, between noises, between pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Unpack

from imagespace.errors import UserError
from imagespace.networks.perceptron import PerceptronConfig
from imagespace.pipeline.model import Model
from imagespace.pipeline.settings import PictureSettings, SamplingOptions, Towards
from imagespace.pipeline.start import start_from

MOST_FRAMES = 1000


@dataclass(frozen=True)
class Stop:
    """What a morph passes through: a prompt with the seed of its noise, or a picture.

    A picture's own noise is found under `prompt` ("" is no words), from which it is redrawn.
    """

    prompt: str = ""
    seed: int = 0
    picture: Path | None = None


def morph_settings(
    model: Model,
    stops: Sequence[Stop],
    num_frames: int = 9,
    negative: str = "",
    truncate: bool = False,
    **sampling: Unpack[SamplingOptions],
) -> list[PictureSettings]:
    """The settings of a morph: `num_frames` from each stop to the next, both included.

    At the share s of the way from A to B a picture is drawn from slerp(noise_A, noise_B, s) by
    D_A + s (D_B - D_A), the answers under both prompts, so that each stop is the very picture that
    its prompt and seed draw alone. Pictures are inverted, and redrawn without guidance unless it is
    asked for: what inverts to a noise is redrawn by the same field alone.

    Errors: UserError for fewer than two stops or frames, for neighbouring stops that are the same,
    for an impossible seed, for pictures among prompts, and those of `Model.settings`.
    """
    if isinstance(model.config.network, PerceptronConfig):
        raise UserError(model.source, "draws points, not pictures", "Name a model of pictures")
    if len(stops) < 2:
        raise UserError(
            f"{len(stops)} stop", "a morph leads from one stop to another", "Name two or more"
        )
    if not 2 <= num_frames <= MOST_FRAMES:
        raise UserError(
            f"frames {num_frames}",
            f"must be from 2, the two stops, to {MOST_FRAMES}",
            "Use 9 for a strip, 25 for a film",
        )
    if len({stop.picture is None for stop in stops}) == 2:
        raise UserError(
            "pictures among prompts",
            "a morph leads through the one or the other",
            "Draw the prompt first with imagespace generate, and name that picture",
        )
    for first, second in pairwise(stops):
        if first == second:
            name = first.picture or f"{first.prompt!r} with seed {first.seed}"
            raise UserError(
                f"{name} twice in a row", "nothing lies between", "Name another stop or seed"
            )
    for seed in (stop.seed for stop in stops):
        if not 0 <= seed < 2**63:
            raise UserError(f"seed {seed}", "must be from 0 to 2^63 - 1", "Use such a seed")
    if stops[0].picture is not None and sampling.get("guidance") is None:
        sampling["guidance"] = 1.0
    at: dict[Stop, PictureSettings] = {}
    checked: dict[tuple[str, Path | None], PictureSettings] = {}
    for stop in dict.fromkeys(stops):
        what = (stop.prompt, stop.picture)
        if what not in checked:  # a prompt is checked once, and warned of once
            start = None
            if stop.picture is not None:
                start = start_from(stop.picture, inverted_prompt=stop.prompt)
            (checked[what],) = model.settings(
                stop.prompt, 1, stop.seed, negative, truncate, start=start, **sampling
            )
        at[stop] = checked[what].model_copy(update={"seed": stop.seed})
    frames = [at[stops[0]]]
    for first, second in pairwise(stops):
        frames += [*_between(at[first], at[second], num_frames - 2), at[second]]
    return frames


def _between(
    first: PictureSettings, second: PictureSettings, num: int
) -> Iterator[PictureSettings]:
    for number in range(1, num + 1):
        towards = Towards(
            prompt=second.prompt, seed=second.seed, start=second.start, share=number / (num + 1)
        )
        yield first.model_copy(update={"towards": towards})
