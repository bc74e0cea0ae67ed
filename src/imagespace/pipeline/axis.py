"""An axis that one can turn: where it is kept, and how turning it steers a walk.

The unit of an axis is one standard deviation of its attribute over the training pictures.
"""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from imagespace.checkpoints import tensors_sha256
from imagespace.diffusion.denoiser import Denoiser
from imagespace.diffusion.steering import Steering
from imagespace.errors import UserError
from imagespace.pictures.attributes import ATTRIBUTES, measure

AXIS_FORMAT = "imagespace-axis-1"
LARGEST_VALUE = 6.0
# Of each unit that an axis is turned, the share of their own units that others may drift. Held
# rigidly, attributes that go together in the pictures tear them (docs/experiments.md).
SLACK = 0.15


class AxisUse(BaseModel):
    """How far an axis is turned for a picture; the SHA-256 names the axis that was meant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    value: float = Field(ge=-LARGEST_VALUE, le=LARGEST_VALUE)
    sha256: str


class Axis(BaseModel):
    """An attribute with its unit, and the attributes that are held while it is turned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    model_sha256: str
    data_key: str  # of the pictures that it was measured on
    num_pictures: int
    attributes: tuple[str, ...]  # all that the model's pictures have
    means: tuple[float, ...]  # of each attribute over the pictures
    units: tuple[float, ...]  # their standard deviations

    @property
    def sha256(self) -> str:
        """Names what the axis does, whatever file it is in."""
        return tensors_sha256({self.model_dump_json(): torch.tensor(self.units)})[:16]

    def save(self, path: Path) -> None:
        """Writes the axis, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        header = {"format": AXIS_FORMAT, "axis": self.model_dump_json(), "sha256": self.sha256}
        save_file({"units": torch.tensor(self.units)}, partial, metadata=header)
        partial.chmod(0o644)  # save_file makes it private
        partial.replace(path)


def axes_folder(source: str, sha256: str) -> Path:
    """Where a model's axes are: beside its weights, of a shipped model in the user's cache."""
    from imagespace.pipeline.loading import model_file, shipped_models

    if source in shipped_models():
        return Path.home() / ".cache" / "imagespace" / "axes" / f"{source}-{sha256}"
    return model_file(source).parent / "axes"


def known_axes(folder: Path) -> list[str]:
    """The names of the axes in a folder."""
    return sorted(path.stem for path in folder.glob("*.safetensors"))


def load_axis(folder: Path, name: str, model: str, model_sha256: str) -> Axis:
    """Reads an axis of a model. UserError: unknown, damaged, or found with other weights."""
    again = f"Find it: imagespace axes find {model} --attribute {name}"
    if name not in known_axes(folder):
        known = f"Known: {', '.join(known_axes(folder))}" if known_axes(folder) else again
        remedy = f"{known}; or {again[0].lower()}{again[1:]}" if known != again else again
        raise UserError(f"axis {name!r}", f"has not been found for model {model}", remedy)
    path = folder / f"{name}.safetensors"
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
        axis = Axis.model_validate_json(header["axis"])
        whole = header["format"] == AXIS_FORMAT and header["sha256"] == axis.sha256
    except (OSError, SafetensorError, KeyError, ValidationError):
        whole = False
    if not whole:
        raise UserError(str(path), "is not a whole axis", again)
    if axis.model_sha256 != model_sha256:
        raise UserError(
            f"axis {name!r}", f"was found with weights {axis.model_sha256}, not these", again
        )
    return axis


def parse_axes(words: Sequence[str]) -> dict[str, float]:
    """`["greenness=+2"]` as `{"greenness": 2.0}`. UserError: malformed, or one axis twice."""
    values: dict[str, float] = {}
    for word in words:
        match = re.fullmatch(r"([\w-]+)=([+-]?\d+(?:\.\d*)?)", word)
        if match is None:
            raise UserError(f"--axis {word}", "is not NAME=VALUE", "Write: --axis brightness=+2")
        if match[1] in values:
            raise UserError(f"--axis {word}", "is turned twice", "Give each axis once")
        values[match[1]] = float(match[2])
    return values


def check_value(name: str, value: float) -> None:
    """UserError: `value` is beyond what an axis is turned."""
    if not -LARGEST_VALUE <= value <= LARGEST_VALUE:
        raise UserError(
            f"axis {name}={value:+g}", "is turned from -6 to +6", "Use -3 to +3 as a rule"
        )


def attributes_of(
    decode: Callable[[Tensor], Tensor], names: tuple[str, ...]
) -> Callable[[Tensor], Tensor]:
    """Takes samples [B, ...] to the attributes [B, K] of the pictures that they decode to."""
    return lambda samples: measure(decode(samples), names)


def steered(
    denoiser: Denoiser,
    axes: Sequence[tuple[Axis, float]],
    times: Sequence[float],
    reference: Tensor,
    decode: Callable[[Tensor], Tensor],
    are_pixels: bool,
) -> Denoiser:
    """The denoiser whose walk keeps beside the walk `reference` [T, B, K], but for the axes turned.

    `reference` is what the attributes of x0_hat were at each of `times` when nothing was turned.
    """
    first = axes[0][0]
    units = torch.tensor(first.units)
    slack = SLACK * max(abs(value) for _, value in axes) * units
    turns, turned = torch.zeros(len(units)), torch.zeros(len(units), dtype=torch.bool)
    for axis, value in axes:
        k = axis.attributes.index(axis.name)
        turns[k], turned[k] = value * units[k], True
    slack = torch.where(turned, 0.0, slack)
    goal = reference + turns
    names = first.attributes
    assert all(axis.units == first.units and set(names) <= set(ATTRIBUTES) for axis, _ in axes)
    measured = attributes_of(decode, names)
    return Steering(denoiser, measured, times, (goal - slack, goal + slack), units, are_pixels)
