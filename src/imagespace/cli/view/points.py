"""`imagespace view points`: the whole space of a model of points."""

from pathlib import Path
from typing import Annotated

import typer

from imagespace.cli.progress import progress_bar
from imagespace.cli.view.options import NUMBERS, OVERWRITE, SEED, check_steps
from imagespace.cli.view.target import finish, is_film, target_of, tell
from imagespace.errors import UserError

PAGE_SUFFIX = ".html"
MOST_GRID_OF_POINTS = 201  # all of which are asked at once


def points(
    model: Annotated[str, typer.Argument(help="A run folder or file of a model of points.")],
    data: Annotated[
        str | None, typer.Option(help="The true points: a named set, a drawing or a .csv.")
    ] = None,
    grid: Annotated[int, typer.Option(help="Points a side, in the plane.")] = 61,
    steps: Annotated[int, typer.Option(help="Of each walk.")] = 100,
    seed: SEED = 0,
    out: Annotated[
        Path | None,
        typer.Option(help=".html for the page that plays; .png, .svg, .pdf; .webp, .gif."),
    ] = None,
    numbers: NUMBERS = None,
    overwrite: OVERWRITE = False,
) -> None:
    """The whole space of a model of points: density, field and paths, on a line or in the plane."""
    target = target_of(out, "points", overwrite, numbers, also=(PAGE_SUFFIX,))
    check_steps(steps, fewest=2)
    if not 11 <= grid <= MOST_GRID_OF_POINTS:
        rule = f"must be from 11 to {MOST_GRID_OF_POINTS}"
        raise UserError(f"--grid {grid}", rule, "Use 61")
    from imagespace.atlas.point_field import point_field_view
    from imagespace.atlas.river import river_view
    from imagespace.pipeline import load
    from imagespace.points import load_points

    loaded = load(model)
    shape = loaded.config.network.sample_shape
    if len(shape) != 1:
        raise UserError(
            f"model {model}", "draws pictures, not points", "Use another view, such as basins"
        )
    if shape[0] > 2:
        raise UserError(
            f"model {model}", f"has {shape[0]} dimensions", "Name a model of one or two"
        )
    true = None if data is None else load_points(data)
    if true is not None and true.shape[1] != shape[0]:
        raise UserError(
            f"--data {data}",
            f"has points of {true.shape[1]} values, the model of {shape[0]}",
            "Name what it was trained on",
        )
    denoiser = loaded.prompted()
    if target.suffix.lower() == PAGE_SUFFIX:
        from imagespace.atlas.point_page import write_point_page
        from imagespace.atlas.point_space import page_of_points

        title = f"The space of {Path(model).resolve().name if data is None else Path(data).stem}"
        with progress_bar("times") as report:
            page = page_of_points(denoiser, shape[0], true, title, grid, steps, seed, report)
        write_point_page(page, target)
        tell(page.numbers, target, numbers)
        return
    film = is_film(target)
    with progress_bar("times") as report:
        if shape[0] == 1:
            view = river_view(denoiser, true, steps, film)
        else:
            view = point_field_view(denoiser, true, grid, steps, seed, film, report)
    finish(view, target, numbers)
