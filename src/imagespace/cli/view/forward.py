"""`imagespace view forward`: pictures dissolving into noise."""

from pathlib import Path
from typing import Annotated

import typer

from imagespace.cli.chosen_pictures import chosen_pictures, some_pictures
from imagespace.cli.view.asked import model_of_pictures
from imagespace.cli.view.options import MODEL, NUMBERS, OUT, OVERWRITE, PICTURES, SEED, THREE
from imagespace.cli.view.target import finish, is_film, target_of

NUM_OF_SET = 400  # pictures that stand for a whole set


def forward(
    model: MODEL = "glyphs",
    pictures: PICTURES = THREE,
    data: Annotated[
        Path | None,
        typer.Option(help="A picture folder to take --pictures from; its own cloud is drawn too."),
    ] = None,
    seed: SEED = 0,
    out: OUT = None,
    numbers: NUMBERS = None,
    overwrite: OVERWRITE = False,
) -> None:
    """Three pictures dissolving into noise, and where their clouds are meanwhile."""
    target = target_of(out, "forward", overwrite, numbers)
    from imagespace.atlas.forward import forward_view
    from imagespace.atlas.showing import showing_of

    loaded = model_of_pictures(model)
    x, names = chosen_pictures(loaded, pictures, data, seed)
    whole = None if data is None else loaded.encode(some_pictures(loaded, data, NUM_OF_SET, seed))
    film, showing = is_film(target), showing_of(loaded)
    view = forward_view(loaded.schedule, loaded.encode(x), names, seed, film, showing, whole)
    finish(view, target, numbers)
