"""Settings inside a PNG: what drew it, for people's tools and for drawing it again."""

import json
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from imagespace.errors import UserError

SETTINGS_CHUNK = "imagespace"


def parameters_text(settings: list[dict[str, Any]]) -> str:
    """The `parameters` text that popular image tools read: prompt, negative prompt, settings."""
    first = settings[0]
    sampling = first["sampling"]
    prompts = list(dict.fromkeys(one["prompt"] for one in settings))
    lines = ["; ".join(prompts)]
    if first["negative"]:
        lines.append(f"Negative prompt: {first['negative']}")
    lines.append(
        f"Steps: {sampling['num_steps']}, Sampler: {sampling['sampler']}, "
        f"CFG scale: {sampling['guidance']:g}, Seed: {first['seed']}, "
        f"Model: {first['model']}, Model hash: {first['model_sha256']}, Version: imagespace"
    )
    return "\n".join(lines)


def save_png(path: Path, image: Image.Image, settings: list[dict[str, Any]]) -> None:
    """Writes a PNG with both text chunks: `parameters`, and our JSON, one entry a picture."""
    text = PngImagePlugin.PngInfo()
    text.add_itxt("parameters", parameters_text(settings))
    text.add_itxt(SETTINGS_CHUNK, json.dumps(settings, sort_keys=True))
    image.save(path, format="PNG", pnginfo=text)


def read_settings(path: Path) -> list[dict[str, Any]]:
    """The settings that `save_png` wrote; raises UserError if the file carries none."""
    remedy = "Name a PNG that `imagespace generate` wrote"
    try:
        with Image.open(path) as image:
            stored = image.info.get(SETTINGS_CHUNK)
    except FileNotFoundError:
        raise UserError(str(path), "there is no such picture", remedy) from None
    except (OSError, UnidentifiedImageError, SyntaxError):
        raise UserError(str(path), "is not a readable picture", remedy) from None
    try:
        settings = json.loads(stored or "")
    except ValueError:
        raise UserError(str(path), "carries no imagespace settings", remedy) from None
    if not isinstance(settings, list) or not settings:
        raise UserError(str(path), "carries no imagespace settings", remedy)
    return settings
