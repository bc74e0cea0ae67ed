"""Are these the pictures that the model was trained on, and as they are in their folder?"""

import json
from pathlib import Path

from imagespace.pictures.folder import PictureSet
from imagespace.pictures.inspection import inspect_some
from imagespace.pipeline import Model

RUN_CONFIG = "config.json"
NUM_LOOKED_AT = 64
MAY_KNOW = "it may have seen what is called unseen here"


def provenance_notes(model: Model, folder: Path | None, pictures: PictureSet) -> list[str]:
    """Notes on the pictures that a model is judged by.

    Without a `folder` they are glyphs that were rendered for it, as they are.
    """
    key = model.config.data_key or _key_of_run(Path(model.source))
    notes = []
    if key and key != pictures.key:
        notes.append(
            f"the model was trained on pictures with the key {key}, not {pictures.key}: {MAY_KNOW}"
        )
    if not key and folder is not None:
        notes.append(f"which pictures the model was trained on is not recorded: {MAY_KNOW}")
    return notes if folder is None else [*notes, *_converted(pictures)]


def _key_of_run(folder: Path) -> str:
    """The key that a run folder has; models of before they recorded it have none of their own."""
    try:
        return str(json.loads((folder / RUN_CONFIG).read_text(encoding="utf-8"))["data"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _converted(pictures: PictureSet) -> list[str]:
    """Whether pictures were resized, or colour became grey or grey colour; of some of them."""
    looks = inspect_some(pictures.sources, NUM_LOOKED_AT)
    readable = [look for look in looks if not look.fault]
    if not readable:
        return ["the size and the colour of the pictures as they lie there could not be looked at"]
    side, num_channels = pictures.pixels.shape[1], pictures.pixels.shape[3]
    num_resized = sum(
        look.mode != "SVG" and (look.width_px, look.height_px) != (side, side) for look in readable
    )
    num_coloured = sum(look.has_colour for look in readable)
    notes = []
    if num_resized:
        notes.append(
            f"{num_resized} of {len(readable)} pictures looked at are not of {side} x {side} px, "
            "which the model draws: they are judged at its size"
        )
    if num_coloured and num_channels == 1:
        notes.append(
            f"{num_coloured} of {len(readable)} pictures looked at have colour, and the model "
            "draws grey: they are judged in grey"
        )
    if not num_coloured and num_channels == 3:
        notes.append("the pictures looked at are grey, and the model draws colour")
    return notes
