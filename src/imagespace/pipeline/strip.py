"""A morph on one sheet: every row leads from one stop to the next."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from PIL import Image

from imagespace.pictures.contact_sheet import contact_sheet
from imagespace.pipeline.settings import PictureSettings

# More frames of one leg than this would make a row too long to look at: they are wrapped.
LONGEST_ROW = 12


def strip(pictures: Sequence[Image.Image], settings: Sequence[PictureSettings]) -> Image.Image:
    """The pictures of a morph in order; the stops carry their names.

    A stop between two legs ends one row and begins the next.
    """
    stops = [number for number, s in enumerate(settings) if s.towards is None]
    order = list(range(len(settings)))
    columns = LONGEST_ROW
    lengths = {second - first + 1 for first, second in pairwise(stops)}
    if len(lengths) == 1 and max(lengths) <= LONGEST_ROW:
        columns = max(lengths)
        order = [n for first, second in pairwise(stops) for n in range(first, second + 1)]
    names = _stop_names([settings[number] for number in stops])
    labels = [""] * len(settings)
    for number, name in zip(stops, names, strict=True):
        labels[number] = name
    return contact_sheet([pictures[n] for n in order], [labels[n] for n in order], columns)


def _stop_names(stops: Sequence[PictureSettings]) -> list[str]:
    """What tells the stops apart: their prompts, their seeds, or both; or their files' names."""
    seeds_differ = len({s.seed for s in stops}) > 1
    prompts_differ = len({s.formula for s in stops}) > 1
    names = []
    for s in stops:
        if s.start is not None:
            names.append(Path(s.start.picture).stem)
        elif seeds_differ and prompts_differ:
            names.append(f"{s.formula}, seed {s.seed}")
        else:
            names.append(f"seed {s.seed}" if seeds_differ else s.formula)
    return names
