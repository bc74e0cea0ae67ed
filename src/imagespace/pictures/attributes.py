"""Attributes that are measured on a picture and can be turned: each a differentiable number.

A picture is x [C, H, W] in [-1, 1], shown as v = (x + 1) / 2; luma is Y = 0.299 R + 0.587 G +
0.114 B (Rec. 601), of a grey picture its one channel.

| attribute  | equation                                                     |
|------------|--------------------------------------------------------------|
| brightness | log odds of the mean of Y                                    |
| greenness  | mean of G - (R + B) / 2, -1 to 1                             |
| yellowness | mean of (R + G) / 2 - B, -1 to 1                             |
| density    | integral of |grad Y| over the unit square, 0 upwards         |
| roundness  | log odds of 1 - |mean of e^{4 i theta} weighed by |grad Y|^2| |

Log odds, ln(p / (1 - p)), have no ends: however bright a picture is, it can become brighter. The
mean colour of a picture has three dimensions, which the first three span. Of black shapes on white,
density is the length of their outlines in sides of the picture. The share behind roundness is 0
where all edges are parallel or at right angles, however turned, and 1 where no direction prevails,
as on a circle (theta is the direction of grad Y; the fourth harmonic forgets quarter turns).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)
_SMALLEST_SHARE = 1e-3  # log odds of a white page would be infinite
# Where nothing changes the length of the gradient has no derivative; far below one grey level.
_SMALLEST_GRADIENT = 1e-4


@dataclass(frozen=True)
class Attribute:
    """A number measured on pictures: `measure` takes [B, C, H, W] to [B]."""

    name: str
    meaning: str
    measure: Callable[[Tensor], Tensor]
    needs_colour: bool = False


def brightness(x: Tensor) -> Tensor:
    """Log odds of the mean luma, 0 where it is one half; [B, C, H, W] -> [B]."""
    return _log_odds(_luma(x).flatten(1).mean(dim=1))


def greenness(x: Tensor) -> Tensor:
    """Mean of G - (R + B) / 2, -1 to 1; [B, 3 or 4, H, W] -> [B]."""
    red, green, blue = _shown(x)[:, :3].unbind(1)
    return (green - (red + blue) / 2).flatten(1).mean(dim=1)


def yellowness(x: Tensor) -> Tensor:
    """Mean of (R + G) / 2 - B, -1 to 1; [B, 3 or 4, H, W] -> [B]."""
    red, green, blue = _shown(x)[:, :3].unbind(1)
    return ((red + green) / 2 - blue).flatten(1).mean(dim=1)


def density(x: Tensor) -> Tensor:
    """Total variation of luma over the unit square, in sides of the picture; [B, C, H, W] -> [B].

    Beyond its border a picture goes on as at the border.
    """
    down, right = _gradient(x)
    length = (down.square() + right.square() + _SMALLEST_GRADIENT**2).sqrt() - _SMALLEST_GRADIENT
    return x.shape[2] * length.flatten(1).mean(dim=1)


def roundness(x: Tensor) -> Tensor:
    """Log odds of 1 - |sum g^2 e^{4 i theta}| / sum g^2 with g, theta of grad Y; ... -> [B].

    A picture without any edge has no direction: it counts as round.
    """
    down, right = _gradient(x)
    across, along = right.square() - down.square(), 2 * right * down  # g^2 e^{2 i theta}
    squared = right.square() + down.square() + _SMALLEST_GRADIENT**2
    # (g^2 e^{2 i theta})^2 / g^2 = g^2 e^{4 i theta}
    real = ((across.square() - along.square()) / squared).flatten(1).sum(dim=1)
    imaginary = (2 * across * along / squared).flatten(1).sum(dim=1)
    resultant = (real.square() + imaginary.square() + _SMALLEST_GRADIENT**4).sqrt()
    return _log_odds(1 - resultant / squared.flatten(1).sum(dim=1))


ATTRIBUTES = {
    each.name: each
    for each in (
        Attribute("brightness", "how much light, as log odds", brightness),
        Attribute("greenness", "mean of green less red and blue", greenness, needs_colour=True),
        Attribute("yellowness", "mean of red and green less blue", yellowness, needs_colour=True),
        Attribute("density", "length of outlines, in sides of the picture", density),
        Attribute("roundness", "no direction of edges prevails", roundness),
    )
}


def attribute_names(num_channels: int) -> tuple[str, ...]:
    """The attributes that pictures of so many channels have."""
    return tuple(a.name for a in ATTRIBUTES.values() if num_channels >= 3 or not a.needs_colour)


def measure(x: Tensor, names: tuple[str, ...]) -> Tensor:
    """The attributes [B, len(names)] of pictures x [B, C, H, W], clamped to [-1, 1]."""
    return torch.stack([ATTRIBUTES[name].measure(x) for name in names], dim=1)


def _log_odds(share: Tensor) -> Tensor:
    """ln(p / (1 - p)) of shares [B], softened so that it is finite, and rises, from 0 to 1."""
    return torch.logit(_SMALLEST_SHARE + (1 - 2 * _SMALLEST_SHARE) * share)


def _shown(x: Tensor) -> Tensor:
    return (x.clamp(-1, 1) + 1) / 2


def _luma(x: Tensor) -> Tensor:
    """[B, C, H, W] in [-1, 1] -> [B, H, W] in [0, 1]."""
    shown = _shown(x)
    if x.shape[1] < 3:
        return shown[:, 0]
    return torch.einsum("bchw,c->bhw", shown[:, :3], shown.new_tensor(_LUMA))


def _gradient(x: Tensor) -> tuple[Tensor, Tensor]:
    """Scharr's differences of luma per pixel downwards and to the right, [B, H, W] each.

    Their directions err less than those of Sobel's.
    """
    padded = F.pad(_luma(x)[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    down, right = padded[:, 2:] - padded[:, :-2], padded[:, :, 2:] - padded[:, :, :-2]
    down = (3 * (down[:, :, :-2] + down[:, :, 2:]) + 10 * down[:, :, 1:-1]) / 32
    right = (3 * (right[:, :-2] + right[:, 2:]) + 10 * right[:, 1:-1]) / 32
    return down, right
