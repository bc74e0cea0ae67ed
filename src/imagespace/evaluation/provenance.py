"""Are these the pictures that the model was trained on, and as they are in their folder?"""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from imagespace.pictures.folder import PictureSet

RUN_CONFIG = "config.json"
NUM_LOOKED_AT = 64


def provenance_notes(source: str, folder: Path | None, pictures: PictureSet) -> list[str]:
    """Notes on pictures read from `folder` for the model of a `source`, such as a run folder."""
    return [*_trained_on_others(source, pictures), *_converted(folder, pictures)]


def _trained_on_others(source: str, pictures: PictureSet) -> list[str]:
    try:
        record = json.loads((Path(source) / RUN_CONFIG).read_text(encoding="utf-8"))
        key = record["data"]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # a shipped model or a file of weights: its pictures are not recorded
    if key == pictures.key:
        return []
    return [
        f"the run was trained on pictures with the key {key}, not {pictures.key}: it may have seen "
        "what is called unseen here"
    ]


def _converted(folder: Path | None, pictures: PictureSet) -> list[str]:
    """Whether pictures were resized, or colour became grey or grey colour; of some of them."""
    if folder is None:
        return []
    side, num_channels = pictures.pixels.shape[1], pictures.pixels.shape[3]
    num_resized = num_coloured = num_read = 0
    for row in np.linspace(0, len(pictures) - 1, NUM_LOOKED_AT).astype(int).tolist():
        try:
            with Image.open(folder / pictures.metadata[row]["file_name"]) as image:
                colours = np.asarray(image.convert("RGB"))
                size = image.size
        except (OSError, ValueError):
            continue
        num_read += 1
        num_resized += size != (side, side)
        num_coloured += bool((colours != colours[:, :, :1]).any())
    notes = []
    if num_resized:
        notes.append(
            f"{num_resized} of {num_read} pictures looked at are not of {side} x {side} px, which "
            "the model draws: they are judged at its size"
        )
    if num_coloured and num_channels == 1:
        notes.append(
            f"{num_coloured} of {num_read} pictures looked at have colour, and the model draws "
            "grey: they are judged in grey"
        )
    if num_read and not num_coloured and num_channels == 3:
        notes.append("the pictures looked at are grey, and the model draws colour")
    return notes
