"""Signed values as a picture: which pixels would get brighter, which darker."""

import numpy as np
from PIL import Image
from torch import Tensor

# Blue brightens, orange darkens, white stays: told apart by people who see few colours.
_BRIGHTER, _DARKER = np.array([30.0, 90.0, 200.0]), np.array([217.0, 100.0, 10.0])
_WHITE = 255.0


def signed_picture(values: Tensor) -> tuple[Image.Image, float]:
    """Values [C, H, W], averaged over C, as RGB; and the size that is full colour.

    Full colour is the 99.5th percentile of the sizes, so that single pixels do not pale the rest.
    """
    mean = values.mean(dim=0).double().numpy()
    extent = float(np.quantile(np.abs(mean), 0.995)) or 1.0
    strength = np.clip(mean / extent, -1, 1)[..., None]
    colour = np.where(strength > 0, _BRIGHTER, _DARKER)
    pixels = _WHITE + np.abs(strength) * (colour - _WHITE)
    return Image.fromarray(pixels.round().astype(np.uint8)), extent
