"""Points to learn from: a coin, a Gaussian, shapes in the plane, a drawing, a list."""

import csv
import io
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imagespace.errors import UserError
from imagespace.randomness import generator

NUM_POINTS = 20_000
LARGEST_VALUE = 100.0  # the noise is of unit scale: points far beyond it would never be reached
HEADS_PROBABILITY = 0.3
DRAWING_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")


def coin(num: int, random: torch.Generator) -> Tensor:
    """Flips of a coin with P(heads) = 0.3: heads is +1, tails -1; [num, 1]."""
    return (torch.rand(num, 1, generator=random) < HEADS_PROBABILITY).float() * 2 - 1


def gaussian(num: int, random: torch.Generator) -> Tensor:
    """N(0.3, 0.5^2) on a line; [num, 1]."""
    return 0.3 + 0.5 * torch.randn(num, 1, generator=random)


def two_moons(num: int, random: torch.Generator) -> Tensor:
    """Two interlocked half circles of radius 0.6 with noise 0.05; [num, 2]."""
    angle = math.pi * torch.rand(num, generator=random)
    upper = torch.rand(num, generator=random) < 0.5
    x = torch.where(upper, 0.6 * angle.cos() - 0.3, 0.3 - 0.6 * angle.cos())
    y = torch.where(upper, 0.6 * angle.sin() - 0.15, 0.15 - 0.6 * angle.sin())
    return torch.stack([x, y], dim=1) + 0.05 * torch.randn(num, 2, generator=random)


def spiral(num: int, random: torch.Generator) -> Tensor:
    """One and a half turns outwards to radius 1 with noise 0.02; [num, 2]."""
    radius = torch.rand(num, generator=random).sqrt()  # even along the arm
    angle = 3 * math.pi * radius
    arm = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    return arm + 0.02 * torch.randn(num, 2, generator=random)


def gaussian_centres(num_modes: int) -> Tensor:
    """The modes of `gaussians_8` (on a circle of radius 0.9) or `gaussians_25` (a 5 x 5 grid)."""
    if num_modes == 8:
        angle = 2 * math.pi * torch.arange(8) / 8
        return 0.9 * torch.stack([angle.cos(), angle.sin()], dim=1)
    side = torch.linspace(-0.9, 0.9, 5)
    return torch.cartesian_prod(side, side)


GAUSSIANS_STD = 0.05


def _gaussians(num_modes: int, num: int, random: torch.Generator) -> Tensor:
    centres = gaussian_centres(num_modes)
    chosen = torch.randint(num_modes, (num,), generator=random)
    return centres[chosen] + GAUSSIANS_STD * torch.randn(num, 2, generator=random)


def gaussians_8(num: int, random: torch.Generator) -> Tensor:
    """Eight equal Gaussians of standard deviation 0.05 on a circle; [num, 2]."""
    return _gaussians(8, num, random)


def gaussians_25(num: int, random: torch.Generator) -> Tensor:
    """Twenty-five equal Gaussians of standard deviation 0.05 on a grid; [num, 2]."""
    return _gaussians(25, num, random)


POINT_SETS: dict[str, Callable[[int, torch.Generator], Tensor]] = {
    "coin": coin,
    "gaussian": gaussian,
    "two_moons": two_moons,
    "spiral": spiral,
    "gaussians_8": gaussians_8,
    "gaussians_25": gaussians_25,
}


def load_points(name_or_path: str, num: int = NUM_POINTS, seed: int = 0) -> Tensor:
    """Points float32 [N, D] of a named set, a drawing or a list.

    A PNG or JPEG is a drawing: `num` points where it is dark, the longer side from -1 to 1. A CSV
    is a list, one point a line, taken as it is; its first line may name the columns. Errors:
    UserError if there is no such set or file, or it holds no points.
    """
    if name_or_path in POINT_SETS:
        return POINT_SETS[name_or_path](num, generator(seed, "points", num))
    path = Path(name_or_path)
    if not path.is_file():
        raise UserError(
            f"points {name_or_path!r}",
            "is neither a known set nor a file",
            f"Use one of {', '.join(POINT_SETS)}; a drawing (.png), or a list (.csv)",
        )
    if path.suffix.lower() == ".csv":
        return _read_csv(path)
    if path.suffix.lower() not in DRAWING_SUFFIXES:
        raise UserError(
            str(path), "is neither a list nor a drawing", "Name it .csv, or save it as .png"
        )
    return _read_drawing(path, num, generator(seed, "points", num))


def _rows(file: io.StringIO, path: Path) -> Iterator[list[str]]:
    try:
        yield from csv.reader(file)
    except csv.Error as error:
        rule = f"is no CSV ({error})"
        raise UserError(str(path), rule, "Write one point a line: 0.5,-0.2") from None


def _read_csv(path: Path) -> Tensor:
    rows: list[list[float]] = []
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets write a byte order mark
    except UnicodeDecodeError:
        raise UserError(str(path), "is not UTF-8 text", "Save it anew as CSV, UTF-8") from None
    with io.StringIO(text, newline="") as file:
        for number, row in enumerate(_rows(file, path), start=1):
            if not row:
                continue
            try:
                values = [float(value) for value in row]
            except ValueError:
                if number == 1:
                    continue  # the names of the columns
                values = []
            num_values = len(rows[0]) if rows else max(1, len(values))
            if len(values) != num_values or not all(abs(v) < LARGEST_VALUE for v in values):
                raise UserError(
                    f"{path}, line {number}: {','.join(row)!r}",
                    f"every line must hold as many values, each below {LARGEST_VALUE:g} in size",
                    "Correct the line; scale the points so that most lie within 1 of 0",
                )
            rows.append(values)
    if not rows:
        raise UserError(str(path), "holds no points", "Write one point a line: x,y")
    return torch.tensor(rows, dtype=torch.float32)


def _read_drawing(path: Path, num: int, random: torch.Generator) -> Tensor:
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise UserError(str(path), "is not a readable picture", "Save it anew as PNG") from None
    white = Image.new("RGBA", image.size, "white")
    image = Image.alpha_composite(white, image).convert("L")
    image.thumbnail((512, 512))
    ink = torch.from_numpy(255.0 - np.asarray(image, dtype=np.float32))
    ink[ink < 64] = 0  # paper is not quite white
    if not ink.any():
        raise UserError(str(path), "is white everywhere", "Draw something dark on it")
    pixels = torch.multinomial(ink.flatten(), num, replacement=True, generator=random)
    row, column = pixels // image.width, pixels % image.width
    # A point lies anywhere in its pixel.
    place = torch.stack([column, row], dim=1) + torch.rand(num, 2, generator=random)
    centre = torch.tensor([image.width / 2, image.height / 2])
    return (place - centre) / (max(image.size) / 2) * torch.tensor([1.0, -1.0])
