"""From the colour profile that a picture carries to sRGB, by the ICC's own rules (LittleCMS)."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

# The colour space that a profile must be of, for each mode of pixels.
_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """`image` (L, RGB, CMYK or LAB, no alpha) in sRGB: L stays L, all else becomes RGB.

    Relative colorimetric with black point compensation, as browsers and printers do it. A profile
    that is damaged, or of another kind than the pixels, says nothing: it is passed over.
    """
    mode = image.mode
    transform = _transform(profile, mode) if profile or mode == "LAB" else None
    if transform is None:
        return image if mode in ("L", "RGB") else image.convert("RGB")
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # only in place does it return none
    return converted.convert(mode) if mode == "L" else converted


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """None where pixels stay as they are: no usable profile, or sRGB by whatever name."""
    try:
        if mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        else:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    if mode in ("L", "RGB") and _changes_nothing(transform, mode):
        return None
    return transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a grid of colours comes back as it was but for rounding: 2 of 255 at most."""
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    if mode == "L":
        grid = levels[None, :]
    else:
        grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    before = Image.fromarray(np.ascontiguousarray(grid))
    after = ImageCms.applyTransform(before, transform)
    assert after is not None
    gap = np.asarray(after, dtype=int) - np.asarray(before.convert("RGB"), dtype=int)
    return bool(np.abs(gap).max() <= 2)
