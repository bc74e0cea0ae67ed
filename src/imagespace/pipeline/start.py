"""Starting elsewhere than at pure noise: from a picture, around a picture, from its own noise."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from imagespace.errors import UserError
from imagespace.pictures.decoding import DAMAGE, open_picture


class Start(BaseModel):
    """The picture that a walk starts from, and how.

    * image-to-image: the walk starts at time `strength` from the picture with that much noise;
    * inpainting, with `mask`: white is drawn, black is kept;
    * redrawing, with `inverted_prompt`: the walk starts from the very noise that draws this
      picture under that prompt ("" is none).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    picture: str
    picture_sha256: str
    strength: float = Field(1.0, gt=0, le=1)
    mask: str = ""
    mask_sha256: str = ""
    inverted_prompt: str | None = None


def start_from(
    picture: Path,
    strength: float | None = None,
    mask: Path | None = None,
    inverted_prompt: str | None = None,
) -> Start:
    """Checks the files and settings of a start.

    Errors: UserError for a file that cannot be read, a mask of another size, or settings that
    exclude each other.
    """
    if inverted_prompt is not None and (mask is not None or strength is not None):
        raise UserError(
            "inverted prompt",
            "redraws the whole picture from its own noise",
            "Leave out the mask and the strength",
        )
    if strength is not None and not 0 < strength <= 1:
        raise UserError(
            f"strength {strength:g}",
            "must be above 0, up to 1",
            "Use 0.8; less keeps more of the picture",
        )
    if mask is not None and picture_size(mask) != picture_size(picture):
        raise UserError(
            f"mask {mask} of {'x'.join(map(str, picture_size(mask)))}",
            f"does not match the picture of {'x'.join(map(str, picture_size(picture)))}",
            "Give it the same width and height",
        )
    # Without a mask, full strength would leave nothing of the picture.
    default = 1.0 if mask is not None or inverted_prompt is not None else 0.8
    return Start(
        picture=str(picture),
        picture_sha256=_sha256(picture),
        strength=default if strength is None else strength,
        mask="" if mask is None else str(mask),
        mask_sha256="" if mask is None else _sha256(mask),
        inverted_prompt=inverted_prompt,
    )


def start_tensors(
    start: Start, picture_shape: tuple[int, ...], fit: str
) -> tuple[Tensor, Tensor | None]:
    """(picture [C, H, W] in [-1, 1], mask [1, H, W] of 0 and 1 or None) of a model's pictures.

    They are made square by `fit`, as the model's training pictures were.

    Errors: UserError if a file is not what it was when the settings were made, or if the model
    draws points, whose shape is [D].
    """
    if len(picture_shape) != 3:
        raise UserError(start.picture, "this model draws points", "Name a model of pictures")
    for name, sha256 in ((start.picture, start.picture_sha256), (start.mask, start.mask_sha256)):
        if name and _sha256(Path(name)) != sha256:
            raise UserError(name, "has changed since the picture was drawn", "Bring it back")
    channels, size, _ = picture_shape
    x_0 = torch.tensor(_pixels(Path(start.picture), size, channels, fit))
    x_0 = x_0.permute(2, 0, 1)
    mask = None
    if start.mask:
        drawn = _mask(Path(start.mask), size, fit).transpose(2, 0, 1)
        mask = torch.from_numpy(drawn.astype(np.float32))
    return x_0.float() / 127.5 - 1, mask


def _mask(path: Path, size_px: int, fit: str) -> NDArray[np.bool_]:
    """Where a mask is white, [H, W, 1]; what pads it to a square is black, to be kept."""
    try:
        return open_picture(path, size_px, 1, fit, background=(0, 0, 0)) > 127
    except DAMAGE:
        raise UserError(str(path), "is not a readable picture", "Save it anew as PNG") from None


def _pixels(path: Path, size_px: int, num_channels: int, fit: str) -> NDArray[np.uint8]:
    try:
        return open_picture(path, size_px, num_channels, fit)
    except FileNotFoundError:
        raise UserError(str(path), "there is no such picture", "Check the name") from None
    except DAMAGE:
        raise UserError(str(path), "is not a readable picture", "Save it anew as PNG") from None


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels. UserError: there is no such picture, or it cannot be read."""
    try:
        with Image.open(path) as image:
            return image.size
    except FileNotFoundError:
        raise UserError(str(path), "there is no such picture", "Check the name") from None
    except DAMAGE:
        raise UserError(str(path), "is not a readable picture", "Save it anew as PNG") from None


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise UserError(str(path), "there is no such picture", "Check the name") from None
    except OSError as error:
        rule = f"cannot be read ({error.strerror})"
        raise UserError(str(path), rule, "Name a picture file that you may read") from None
