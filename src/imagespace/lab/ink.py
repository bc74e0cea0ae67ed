"""How black and how clean drawn glyphs are; pictures in [-1, 1] with white paper at +1."""

from torch import Tensor

GREY_BELOW = 0.8  # |value| below this is neither paper nor ink: an edge, or a blur


def ink_share(x: Tensor) -> Tensor:
    """The share of ink in each picture [N, C, H, W]: 0 all white, 1 all black; [N]."""
    return ((1 - x.clamp(-1, 1)) / 2).flatten(1).mean(dim=1)


def grey_share(x: Tensor) -> Tensor:
    """The share of values of each picture [N, C, H, W] that are neither paper nor ink; [N]."""
    return (x.abs() < GREY_BELOW).flatten(1).float().mean(dim=1)


def overshoot_share(x: Tensor) -> Tensor:
    """The share of values of each picture [N, C, H, W] outside of [-1.05, 1.05]; [N]."""
    return (x.abs() > 1.05).flatten(1).float().mean(dim=1)
