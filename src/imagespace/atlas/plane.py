"""A plane: the two-dimensional slice of image space, or of noise space, through three points."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from imagespace.errors import UserError

# Below this share of the longest side, three points are taken to lie on one line.
SMALLEST_HEIGHT = 1e-4


@dataclass(frozen=True)
class Plane:
    """origin + u first + v second with orthonormal `first` and `second`, all shaped as a picture.

    With `radius` the slice is spherical: every point is scaled to that norm. Pictures of noise all
    have nearly the norm sqrt(d), and a flat plane through three of them would pass well inside:
    where no noise is, and no walk starts. `corners` [3, 2] are the coordinates of the three points.
    """

    origin: Tensor
    first: Tensor
    second: Tensor
    corners: Tensor
    radius: float | None = None

    @classmethod
    def through(cls, a: Tensor, b: Tensor, c: Tensor, radius: float | None = None) -> "Plane":
        """The plane through three points [C, H, W] (or any one shape).

        Flat, its origin is their mean. With `radius` they are scaled to that norm first, and the
        origin is the point of their plane that is nearest to zero, so that great circles are
        straight lines (the gnomonic projection). Errors: UserError for points on one line.
        """
        points = torch.stack([a, b, c]).double()
        flat = points.flatten(1)
        if radius is not None:
            flat = flat * (radius / flat.norm(dim=1, keepdim=True))
        along = flat[1] - flat[0]
        across = flat[2] - flat[0]
        longest = max(float(side.norm()) for side in (along, across, across - along))
        first = along / along.norm().clamp(min=1e-300)
        height = across - (across @ first) * first
        if longest == 0 or min(float(along.norm()), float(height.norm())) < (
            SMALLEST_HEIGHT * longest
        ):
            raise UserError(
                "the three points", "lie on one line: no plane is theirs", "Choose other ones"
            )
        second = height / height.norm()
        origin = flat.mean(dim=0)
        if radius is not None:
            origin = flat[0] - (flat[0] @ first) * first - (flat[0] @ second) * second
        corners = torch.stack([(flat - origin) @ first, (flat - origin) @ second], dim=1)
        shape = a.shape
        return cls(
            origin.reshape(shape), first.reshape(shape), second.reshape(shape), corners, radius
        )

    def points(self, u: Tensor, v: Tensor) -> Tensor:
        """The points at coordinates u, v [N], float32 [N, C, H, W]."""
        ones = [1] * self.origin.dim()
        u, v = u.double().reshape(-1, *ones), v.double().reshape(-1, *ones)
        flat = self.origin + u * self.first + v * self.second
        if self.radius is not None:
            norm = flat.flatten(1).norm(dim=1).reshape(-1, *ones)
            flat = flat * (self.radius / norm)
        return flat.float()

    def coordinates(self, x: Tensor) -> Tensor:
        """The coordinates [N, 2] of the points of the plane that are nearest to x [N, ...].

        Of a spherical slice: where the ray from zero through x meets the plane.
        """
        flat, origin = x.double().flatten(1), self.origin.flatten()
        if self.radius is not None:
            flat = flat * (origin @ origin / (flat @ origin))[:, None]
        return self.part(flat - origin)

    def part(self, vectors: Tensor) -> Tensor:
        """The part [N, 2] of vectors [N, ...] that lies in the plane, in its coordinates.

        Its norm over the vector's is the share of the vector that a drawing in the plane shows.
        """
        flat = vectors.double().flatten(1)
        return torch.stack([flat @ self.first.flatten(), flat @ self.second.flatten()], dim=1)

    def grid(self, num: int, margin: float = 0.35) -> tuple[Tensor, Tensor]:
        """Axes u, v [num] of a square that holds the corners, `margin` of their extent around."""
        low, high = self.corners.min(dim=0).values, self.corners.max(dim=0).values
        centre, half = (low + high) / 2, float((high - low).max()) * (0.5 + margin)
        u, v = (torch.linspace(float(c) - half, float(c) + half, num).double() for c in centre)
        return u, v

    def grid_points(self, u: Tensor, v: Tensor, at_once: int) -> Iterator[Tensor]:
        """The points of a grid, row by row (v is the slow one), in batches [at_once, ...].

        All of them together, in double precision, need not fit into memory.
        """
        across, up = u.repeat(len(v)), v.repeat_interleave(len(u))
        yield from map(self.points, across.split(at_once), up.split(at_once))
