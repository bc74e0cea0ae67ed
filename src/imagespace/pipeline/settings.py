"""All that a drawn picture depends on."""

from typing import TypedDict

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imagespace.checkpoints import SamplingConfig
from imagespace.diffusion.sampler_names import sampler_named
from imagespace.errors import UserError
from imagespace.pipeline.axis import AxisUse
from imagespace.pipeline.start import Start


class PromptWarning(UserWarning):
    """Part of a prompt is not read (unknown words, or beyond the model's tokens), or in pieces."""


class SamplingOptions(TypedDict, total=False):
    """What a caller may change of a model's own sampling; None leaves it."""

    sampler: str | None
    num_steps: int | None
    guidance: float | None
    guidance_interval: tuple[float, float] | None
    guidance_rescale: float | None
    spacing: str | None
    time_shift: float | None
    eta: float | None


class Term(BaseModel):
    """A further prompt: `weight` times what it changes is added; below 0 it is taken away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str
    weight: float = Field(ge=-100, le=100)


class Towards(BaseModel):
    """The other stop of a picture between two, which lies at `share` of the way there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str
    seed: int = Field(ge=0, lt=2**63)
    start: Start | None = None
    share: float = Field(gt=0, lt=1)


class PictureSettings(BaseModel):
    """All that one picture depends on; a PNG carries it, so that the picture can be drawn again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str
    negative: str = ""
    seed: int = Field(0, ge=0, lt=2**63)
    model: str
    model_sha256: str
    # Of autoguidance: the model that is guided away from, instead of the empty prompt.
    weaker: str = ""
    weaker_sha256: str = ""
    start: Start | None = None
    axes: tuple[AxisUse, ...] = ()
    terms: tuple[Term, ...] = ()
    towards: Towards | None = None
    sampling: SamplingConfig
    num_threads: int = Field(1, ge=1, le=1024)

    @property
    def weights(self) -> dict[str, float]:
        """How much each prompt weighs: 1 for a prompt alone, 1 - s and s between two."""
        weights = {self.prompt: 1.0}
        if self.towards is not None and self.towards.prompt != self.prompt:
            share = self.towards.share
            weights = {self.prompt: 1 - share, self.towards.prompt: share}
        for term in self.terms:
            weights[term.prompt] = weights.get(term.prompt, 0.0) + term.weight
        return weights

    @property
    def share(self) -> float:
        """How far along the way to another stop it lies; 0 if it is none between two."""
        return 0.0 if self.towards is None else self.towards.share

    @property
    def walk(self) -> tuple[object, ...]:
        """What all pictures of one walk have in common.

        A stop and the pictures between two stand apart, so that a stop's last bits are those of the
        same picture drawn alone.
        """
        end = None if self.towards is None else self.towards.start
        return self.sampling, self.start, self.weaker, self.axes, self.towards is None, end

    @property
    def formula(self) -> str:
        """The prompt with its terms, as "river + fire - 0.5 water"."""
        words = [self.prompt]
        for term in self.terms:
            size = abs(term.weight)
            scale = "" if size == 1 else f"{size:g} "
            words.append(f"{'-' if term.weight < 0 else '+'} {scale}{term.prompt}")
        return " ".join(words)


def sampling_config(own: SamplingConfig, changes: SamplingOptions) -> SamplingConfig:
    """A model's own sampling with a caller's changes; UserError for an impossible value."""
    values = own.model_dump() | {k: v for k, v in changes.items() if v is not None}
    values["sampler"], spacing = sampler_named(values["sampler"])
    if spacing is not None and changes.get("spacing") is None:
        values["spacing"] = spacing
    named = spacing is not None or changes.get("spacing") is not None
    if named and changes.get("time_shift") is None:
        values["time_shift"] = 1.0  # a spacing that is asked for is meant as it is
    try:
        return SamplingConfig(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "eta"
        raise UserError(
            f"{name} {values[name.split('.')[0]]!r}",
            first["msg"].removeprefix("Value error, ").lower(),
            f"Change or leave out {name}",
        ) from None
