"""An axis that one can turn, and the file that it is kept in.

The unit of an axis is one standard deviation over the training pictures, of its attribute or of
the projection on its direction; between two words it is the whole way from one to the other.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from imagespace.checkpoints import tensors_sha256, write_tensors
from imagespace.errors import UserError
from imagespace.pictures.attributes import ATTRIBUTES

AXIS_FORMAT = "imagespace-axis-1"
LARGEST_VALUE = 6.0


class AxisUse(BaseModel):
    """How far an axis is turned for a picture; the SHA-256 names the axis that was meant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    value: float = Field(ge=-LARGEST_VALUE, le=LARGEST_VALUE)
    sha256: str


Place = Literal["attribute", "bottleneck", "samples"]


class Axis(BaseModel):
    """An attribute with its unit, or a direction, and how all attributes vary over the pictures.

    `direction` is one unit of the axis: in the network's bottleneck [T, P, W], one for each noise
    share of `shares` (falling), or in sample space [1, C, H, W]. An attribute has none; while it
    is turned the other attributes are held, which a direction does not do.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    name: str
    model_sha256: str
    data_key: str  # of the pictures that it was measured on
    num_pictures: int
    attributes: tuple[str, ...]  # all that the model's pictures have
    means: tuple[float, ...]  # of each attribute over the pictures
    units: tuple[float, ...]  # their standard deviations
    place: Place = "attribute"
    meaning: str = ""  # of a direction, in words
    shares: tuple[float, ...] = ()
    direction: Tensor | None = Field(None, exclude=True)

    @property
    def sha256(self) -> str:
        """Names what the axis does, whatever file it is in."""
        return tensors_sha256({self._json(): torch.tensor(self.units), **self._tensors()})[:16]

    def _json(self) -> str:
        return self.model_dump_json(exclude_defaults=True)

    def _tensors(self) -> dict[str, Tensor]:
        return {} if self.direction is None else {"direction": self.direction.contiguous()}

    def save(self, path: Path, report: str = "") -> None:
        """Writes the axis, whole or not at all, with the JSON of what turning it was seen to do."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        header = {"format": AXIS_FORMAT, "axis": self._json(), "sha256": self.sha256}
        header |= {"report": report} if report else {}
        tensors = {"units": torch.tensor(self.units), **self._tensors()}
        write_tensors(partial, tensors, header)
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


def stored_report(path: Path) -> str:
    """The JSON of the report that is kept with an axis, "" before there is one."""
    with safe_open(path, framework="pt") as file:
        report: str = (file.metadata() or {}).get("report", "")
    return report


def load_axis(folder: Path, name: str, model: str, model_sha256: str) -> Axis:
    """Reads an axis of a model. UserError: unknown, damaged, or found with other weights."""
    again = f"Find it: imagespace axes find {model} --attribute {name}"
    if name not in ATTRIBUTES:
        again = f"Find it by --words, --examples or --unnamed: imagespace axes find {model}"
    if name not in known_axes(folder):
        known = f"Known: {', '.join(known_axes(folder))}" if known_axes(folder) else again
        remedy = f"{known}; or {again[0].lower()}{again[1:]}" if known != again else again
        raise UserError(f"axis {name!r}", f"has not been found for model {model}", remedy)
    path = folder / f"{name}.safetensors"
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            axis = Axis.model_validate_json(header["axis"])
            if axis.place != "attribute":
                axis = axis.model_copy(update={"direction": file.get_tensor("direction")})
        whole = header["format"] == AXIS_FORMAT and header["sha256"] == axis.sha256
    except (OSError, SafetensorError, KeyError, ValidationError):
        whole = False
    if not whole:
        raise UserError(str(path), "is not a whole axis", f"{again} --overwrite")
    if axis.model_sha256 != model_sha256:
        rule = f"was found with weights {axis.model_sha256}, not these"
        raise UserError(f"axis {name!r}", rule, f"{again} --overwrite")
    return axis


def parse_axes(words: Sequence[str]) -> dict[str, float]:
    """`["greenness=+2"]` as `{"greenness": 2.0}`. UserError: malformed, or one axis twice."""
    values: dict[str, float] = {}
    for word in words:
        match = re.fullmatch(r"([\w-]+)=([+-]?(?:\d+\.?\d*|\.\d+))", word)
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
