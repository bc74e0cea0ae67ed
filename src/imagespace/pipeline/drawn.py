"""What a model drew: pixels, and all that is needed to draw them again."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from imagespace.pictures.contact_sheet import contact_sheet
from imagespace.pictures.png_settings import save_png
from imagespace.pipeline.batching import batch_with
from imagespace.pipeline.settings import PictureSettings
from imagespace.pipeline.strip import strip


@dataclass(frozen=True)
class Pictures:
    """Drawn pictures: pixels uint8 [N, H, W, C] and the settings of each."""

    pixels: NDArray[np.uint8]
    settings: list[PictureSettings]

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Image.Image:
        return pixels_to_image(self.pixels[index])

    def __iter__(self) -> Iterator[Image.Image]:
        return (self[index] for index in range(len(self)))

    def grid(self) -> Image.Image:
        """All pictures in one labelled sheet, a morph as a strip; a single picture stands alone."""
        if len(self) == 1:
            return self[0]
        if any(s.towards is not None for s in self.settings):
            return strip(list(self), self.settings)
        prompts = [s.formula for s in self.settings]
        num_prompts = len(set(prompts))
        labels = [f"seed {s.seed}" if num_prompts == 1 else s.formula for s in self.settings]
        # A prompt's pictures stay side by side, up to eight a row; one prompt makes a square.
        per_prompt = len(self) // num_prompts
        square = math.ceil(len(self) ** 0.5)
        columns = max(1, 8 // per_prompt) * per_prompt if num_prompts > 1 else square
        return contact_sheet(list(self), labels, min(8, columns))

    def save(self, path: str | Path, only: int | None = None) -> Path:
        """Writes the grid, or picture `only` of it, as a PNG.

        The grid carries the settings of every picture, a single one those of its batch: its last
        bits depend on what it was walked with, and drawing it again shall give the same bytes.
        """
        path = Path(path)
        image = self.grid() if only is None else self[only]
        settings, shown = (self.settings, None) if only is None else batch_with(self.settings, only)
        save_png(path, image, [s.model_dump(mode="json") for s in settings], shown)
        return path

    def _repr_png_(self) -> bytes:
        """Notebooks show the grid."""
        data = self.grid()._repr_png_()
        assert isinstance(data, bytes)
        return data


def to_pixels(x: Tensor) -> NDArray[np.uint8]:
    """Pictures [N, C, H, W] in [-1, 1] as uint8 [N, H, W, C]."""
    scaled = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous().numpy()


def from_pixels(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 [N, H, W, C] as float32 [N, C, H, W] in [-1, 1]; the inverse of `to_pixels`."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def pixels_to_image(pixels: NDArray[np.uint8]) -> Image.Image:
    """One picture uint8 [H, W, C] with C = 1 (grey), 3 or 4."""
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
