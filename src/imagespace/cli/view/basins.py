"""`imagespace view basins`: a slice of noise space, each noise coloured by its end."""

from typing import TYPE_CHECKING, Annotated

import typer

from imagespace.cli.progress import progress_bar
from imagespace.cli.view.asked import denoiser_of, model_of_pictures, reading_of
from imagespace.cli.view.options import (
    DATA,
    MODEL,
    MOST_GRID,
    NUMBERS,
    OUT,
    OVERWRITE,
    check_data,
    check_steps,
)
from imagespace.cli.view.target import finish, is_film, target_of
from imagespace.errors import UserError

if TYPE_CHECKING:
    from imagespace.diffusion.denoiser import Denoiser
    from imagespace.pipeline import SamplingOptions


def basins(
    model: MODEL = "glyphs",
    prompt: Annotated[
        list[str] | None, typer.Option(help="One panel each; may be given again.")
    ] = None,
    guidance: Annotated[
        list[float] | None, typer.Option(help="One panel each; may be given again.")
    ] = None,
    seeds: Annotated[tuple[int, int, int], typer.Option(help="Of the slice's three noises.")] = (
        0,
        1,
        2,
    ),
    grid: Annotated[int, typer.Option(help="Noises a side: 4 n + 1.")] = 33,
    steps: Annotated[int, typer.Option(help="Of each walk.")] = 4,
    sampler: Annotated[str, typer.Option(help="dpmpp_2m, ddim, euler or heun.")] = "dpmpp_2m",
    walk_all: Annotated[
        bool, typer.Option("--all", help="Walk every noise, not only those near borders.")
    ] = False,
    pictures: Annotated[
        tuple[str, str, str] | None,
        typer.Option(help="Colour by the nearest of these three, instead of by radicals."),
    ] = None,
    data: DATA = None,
    out: OUT = None,
    numbers: NUMBERS = None,
    overwrite: OVERWRITE = False,
) -> None:
    """A slice of noise space, each noise coloured by what its walk ends in."""
    target = target_of(out, "basins", overwrite, numbers)
    if not 5 <= grid <= MOST_GRID or (grid - 1) % 4:
        raise UserError(
            f"--grid {grid}", f"must be 4 n + 1 and from 5 to {MOST_GRID}", "Use 17, 33 or 65"
        )
    check_steps(steps)
    if is_film(target) and len(prompt or [""]) * len(guidance or [1.0]) < 2:
        raise UserError(
            f"--out {target}",
            "a film of basins shows one prompt or guidance after the other",
            "Give --prompt or --guidance more than once, or name a .png",
        )
    if len(set(seeds)) < 3:
        raise UserError("--seeds", "must be three different ones", "Use 0 1 2")
    if guidance and not any(prompt or []):
        raise UserError("--guidance", "pulls towards a prompt, and there is none", "Give --prompt")
    check_data(data, pictures)
    import torch

    from imagespace.atlas.basins import basins_view
    from imagespace.atlas.ends import check_deterministic, course_of
    from imagespace.atlas.showing import ShownReading, showing_of
    from imagespace.precision import fastest_dtype
    from imagespace.randomness import picture_noise

    loaded = model_of_pictures(model)
    options: SamplingOptions = {"sampler": sampler, "num_steps": steps}
    check_deterministic(loaded, options)
    showing = showing_of(loaded)
    reading = ShownReading(reading_of(loaded, pictures, data), showing)
    shown: list[tuple[str, Denoiser]] = []
    for words in prompt or [""]:
        for strength in guidance or [1.0]:
            label = words or "no prompt"
            if words and guidance:
                label += f", guidance {strength:g}"
            shown.append((label, denoiser_of(loaded, words, strength if words else 1.0, options)))
    shape = loaded.config.network.sample_shape
    noises = torch.cat([picture_noise(shape, seed, "start", [0]) for seed in seeds])
    course = course_of(loaded, options, fastest_dtype())
    with progress_bar("noises") as report:
        view = basins_view(shown, noises, seeds, course, reading, grid, walk_all, report, showing)
    finish(view, target, numbers)
