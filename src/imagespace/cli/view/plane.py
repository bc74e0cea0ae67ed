"""`imagespace view slice` and `hill`: what a model says on a plane through three pictures."""

from collections.abc import Callable
from typing import Annotated

import typer

from imagespace.cli.chosen_pictures import chosen_pictures
from imagespace.cli.progress import progress_bar
from imagespace.cli.view.asked import denoiser_of, model_of_pictures
from imagespace.cli.view.options import (
    AT,
    DATA,
    GUIDANCE,
    MODEL,
    MOST_GRID,
    NUMBERS,
    OUT,
    OVERWRITE,
    PICTURES,
    PROMPT,
    SEED,
    THREE,
)
from imagespace.cli.view.target import finish, is_film, target_of
from imagespace.errors import UserError

FILM_TIMES = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4, 0.35, 0.3)


def _on_a_plane(kind: str, points_a_side: int, says: str) -> Callable[..., None]:
    """The command `kind`, which asks the model at points of the plane through three pictures."""

    def command(
        model: MODEL = "glyphs",
        pictures: PICTURES = THREE,
        data: DATA = None,
        prompt: PROMPT = "",
        guidance: GUIDANCE = 1.0,
        at: AT = 0.6,
        grid: Annotated[int, typer.Option(help="Points a side.")] = points_a_side,
        seed: SEED = 0,
        out: OUT = None,
        numbers: NUMBERS = None,
        overwrite: OVERWRITE = False,
    ) -> None:
        target = target_of(out, kind, overwrite, numbers)
        if not 3 <= grid <= MOST_GRID:
            raise UserError(f"--grid {grid}", f"must be from 3 to {MOST_GRID}", "Use 17")
        if not 0 < at < 1:
            raise UserError(f"--at {at:g}", "must be above 0 and below 1", "Use about 0.6")
        from imagespace.atlas.hill import hill_view
        from imagespace.atlas.showing import showing_of
        from imagespace.atlas.slice import slice_view
        from imagespace.randomness import picture_noise

        loaded = model_of_pictures(model)
        denoiser = denoiser_of(loaded, prompt, guidance, {})
        x, names = chosen_pictures(loaded, pictures, data, seed)
        eps = picture_noise(loaded.config.network.sample_shape, seed, "slice", [0])[0]
        film_times = FILM_TIMES if is_film(target) else ()
        make = slice_view if kind == "slice" else hill_view
        x_0, showing = loaded.encode(x), showing_of(loaded)
        with progress_bar("points") as report:
            view = make(denoiser, x_0, names, at, eps, grid, film_times, report, showing)
        finish(view, target, numbers)

    command.__doc__ = says
    return command


slice_of_the_field = _on_a_plane(
    "slice",
    17,
    "The field on the plane through three pictures: arrows, and how much of them lies in it.",
)
hill = _on_a_plane(
    "hill",
    25,
    "The plane through three pictures with the likelihood as its height (an estimate).",
)
