"""Settings inside a PNG: what drew it, for people's tools and for drawing it again."""

import json
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from imagespace.errors import UserError

SETTINGS_CHUNK = "imagespace"


def parameters_text(settings: list[dict[str, Any]], size: str) -> str:
    """The `parameters` text that popular image tools read: prompt, negative prompt, settings."""
    first = settings[0]
    sampling = first["sampling"]
    prompts = list(dict.fromkeys(map(_prompt_text, settings)))
    lines = ["; ".join(prompts)]
    if first["negative"]:
        lines.append(f"Negative prompt: {first['negative']}")
    lines.append(
        f"Steps: {sampling['num_steps']}, Sampler: {sampling['sampler']}, "
        f"CFG scale: {sampling['guidance']:g}, Seed: {first['seed']}, Size: {size}, "
        f"Model: {first['model']}, Model hash: {first['model_sha256']}, Version: imagespace"
    )
    return "\n".join(lines)


def _prompt_text(one: dict[str, Any]) -> str:
    """A prompt, or several with their weights as those tools write them: `a AND b :0.5`."""
    terms = [(term["prompt"], term["weight"]) for term in one.get("terms", ())]
    own, towards = 1.0, one.get("towards")
    if towards is not None and towards["prompt"] != one["prompt"]:
        own -= towards["share"]
        terms.insert(0, (towards["prompt"], towards["share"]))
    first = one["prompt"] if own == 1 else f"{one['prompt']} :{own:g}"
    return " AND ".join([first, *(f"{prompt} :{weight:g}" for prompt, weight in terms)])


def save_png(
    path: Path, image: Image.Image, settings: list[dict[str, Any]], only: int | None = None
) -> None:
    """Writes a PNG with two text chunks: `parameters`, and our JSON.

    `settings` has one entry for each picture that has to be drawn to draw `image` again; `only`
    says which of them `image` shows, None that it shows all.
    """
    text = PngImagePlugin.PngInfo()
    shown = settings if only is None else [settings[only]]
    size = f"{image.width}x{image.height}"
    text.add_text("parameters", parameters_text(shown, size))
    stored = {"pictures": settings, "only": only}
    text.add_text(SETTINGS_CHUNK, json.dumps(stored, sort_keys=True))
    image.save(path, format="PNG", pnginfo=text)


def read_settings(path: Path) -> tuple[list[dict[str, Any]], int | None]:
    """`settings` and `only` as `save_png` wrote them; raises UserError if there are none."""
    remedy = "Name a PNG that `imagespace generate` wrote"
    try:
        with Image.open(path) as image:
            stored = image.info.get(SETTINGS_CHUNK)
    except FileNotFoundError:
        raise UserError(str(path), "there is no such picture", remedy) from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise UserError(str(path), "is not a readable picture", remedy) from None
    try:
        record = json.loads(stored or "")
        settings, only = record["pictures"], record["only"]
        known = bool(settings) and (only is None or 0 <= only < len(settings))
    except (ValueError, TypeError, KeyError):
        known = False
    if not known:
        raise UserError(str(path), "carries no imagespace settings", remedy)
    return settings, only
