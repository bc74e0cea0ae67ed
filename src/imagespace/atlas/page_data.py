"""What the interactive map is made of: plain arrays, whoever measured them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagespace.errors import UserError


def _require(holds: bool, value: str, rule: str) -> None:
    if not holds:
        raise UserError(value, rule, "Measure the map anew.")


@dataclass(frozen=True, eq=False)
class PageWalks:
    """W walks of T steps over the map.

    positions    float32 [W, T, 2], map units; what a step's `x0_hat` is taken to
    thumbnails   uint8 [W, T, s, s, C], C = 1 or 3: `x0_hat` itself
    times        [T], the time t of each step: 1 is pure noise, 0 the clean picture
    prompts      [W]
    is_off_map   bool [W, T]: unlike 99 % of real pictures (projection.py)
    nearest      int [W, T], the row of the real picture nearest to the step
    x_t_positions, is_x_t_off_map   the same of where the walk stands, `x_t`

    Errors: UserError for shapes that disagree, numbers that are not finite, or no walk at all.
    """

    positions: NDArray[np.float32]
    thumbnails: NDArray[np.uint8]
    times: Sequence[float] | NDArray[np.floating]
    prompts: Sequence[str]
    is_off_map: NDArray[np.bool_]
    nearest: NDArray[np.integer]
    x_t_positions: NDArray[np.float32]
    is_x_t_off_map: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shape = (len(self.prompts), len(self.times))
        _require(min(shape) > 0, f"{shape[0]} walks of {shape[1]} steps", "there must be one")
        own = ("positions", "thumbnails", "is_off_map", "nearest", "x_t_positions")
        for name in (*own, "is_x_t_off_map"):
            found = getattr(self, name).shape
            _require(found[:2] == shape, f"walks.{name} {found}", f"must begin with {shape}")
        for name in ("positions", "x_t_positions"):
            places = getattr(self, name)
            _require(
                places.shape == (*shape, 2) and bool(np.isfinite(places).all()),
                f"walks.{name} {places.shape}",
                "must be two finite numbers a step",
            )
        size = self.thumbnails.shape
        _require(
            len(size) == 5 and size[2] == size[3] and size[4] in (1, 3),
            f"walks.thumbnails {size}",
            "must be square, with one channel or three",
        )
        _require(self.thumbnails.dtype == np.uint8, str(self.thumbnails.dtype), "must be uint8")


@dataclass(frozen=True, eq=False)
class PageData:
    """N pictures on a map, and what is known of the map.

    positions       float32 [N, 2], map units, y upwards
    cluster_of      int [N], an index into `cluster_names`, or -1 for none
    cluster_names   one a cluster
    captions        [N]
    sprites         all pictures on one sheet, row i at column `i % columns`, line `i // columns`
    sprite_px       the side of one picture on the sheet
    columns         pictures on one line of the sheet
    density         float32 [G, G], at least 0; line 0 lies at the lowest y
    extent          (x_min, x_max, y_min, y_max) of the outer edges of `density`, map units
    scores          name -> value: what the map is worth, in the words that a reader sees
    walks           walks over it, if there are any

    Errors: UserError for shapes that disagree, numbers that are not finite, or no picture at all.
    """

    title: str
    positions: NDArray[np.float32]
    cluster_of: NDArray[np.integer]
    cluster_names: Sequence[str]
    captions: Sequence[str]
    sprites: Image.Image
    sprite_px: int
    columns: int
    density: NDArray[np.float32]
    extent: tuple[float, float, float, float]
    scores: Mapping[str, str] = field(default_factory=dict)
    walks: PageWalks | None = None

    def __post_init__(self) -> None:
        num = len(self.captions)
        _require(num > 0, "no pictures", "a map needs one at least")
        _require(
            self.positions.shape == (num, 2) and bool(np.isfinite(self.positions).all()),
            f"positions {self.positions.shape}",
            f"must be two finite numbers for each of {num} captions",
        )
        _require(
            self.cluster_of.shape == (num,),
            f"cluster_of {self.cluster_of.shape}",
            f"must be one for each of {num} captions",
        )
        lowest, highest = int(self.cluster_of.min()), int(self.cluster_of.max())
        _require(
            lowest >= -1 and highest < len(self.cluster_names),
            f"clusters {lowest} to {highest}",
            f"must be -1 or an index into {len(self.cluster_names)} names",
        )
        lines = -(-num // self.columns)
        needed = (min(num, self.columns) * self.sprite_px, lines * self.sprite_px)
        _require(
            self.sprites.width >= needed[0] and self.sprites.height >= needed[1],
            f"sprites {self.sprites.size}",
            f"must hold {needed[0]} x {needed[1]} px",
        )
        _require(
            self.density.ndim == 2
            and self.density.size > 0
            and bool(np.isfinite(self.density).all())
            and float(self.density.min()) >= 0,
            f"density {self.density.shape}",
            "must be a grid of numbers from 0 on",
        )
        if self.walks is not None:
            low, high = int(self.walks.nearest.min()), int(self.walks.nearest.max())
            _require(low >= 0 and high < num, f"nearest {low} to {high}", f"must be below {num}")
