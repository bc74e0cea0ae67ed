"""Drawings (SVG) as pixels, by resvg where it is installed."""

import importlib.util
import io

from PIL import Image

_LARGEST_PX = 8192


def looks_like_svg(start: bytes) -> bool:
    """Whether a file that starts so is an SVG drawing."""
    return b"<svg" in start.lower()


def can_render_svg() -> bool:
    """Whether resvg is installed."""
    return importlib.util.find_spec("resvg_py") is not None


def render_svg(raw: bytes, box_px: int, whole: bool) -> Image.Image:
    """The drawing as RGBA, within a square of `box_px`, or around it unless `whole`.

    Errors: ValueError if it is no drawing; ImportError, with the remedy, without resvg.
    """
    try:
        import resvg_py
    except ImportError:
        raise ImportError('drawings need an extra: pip install "imagespace[svg]"') from None
    text = raw.decode("utf-8-sig", "replace")

    def render(side_px: int) -> Image.Image:
        drawn = resvg_py.svg_to_bytes(
            svg_string=text,
            width=side_px,
            height=side_px,
            skip_system_fonts="<text" not in text,  # to list a system's fonts takes a while
        )
        return Image.open(io.BytesIO(bytes(drawn))).convert("RGBA")

    if not whole:
        trial = render(256)
        box_px = min(_LARGEST_PX, round(box_px * max(trial.size) / min(trial.size)))
    return render(box_px)
