"""`imagespace view commitment`: forks of a walk at each of its steps."""

from typing import TYPE_CHECKING, Annotated

import typer

from imagespace.cli.progress import progress_bar
from imagespace.cli.view.asked import denoiser_of, model_of_pictures, reading_of
from imagespace.cli.view.options import (
    DATA,
    GUIDANCE,
    MODEL,
    NUMBERS,
    OUT,
    OVERWRITE,
    PROMPT,
    SEED,
    check_data,
    check_steps,
)
from imagespace.cli.view.target import finish, is_film, target_of
from imagespace.errors import UserError

if TYPE_CHECKING:
    from imagespace.pipeline import SamplingOptions

MOST_FORKS = 4_000  # of all steps together, whose ends are kept: 3 GB of pictures of 256 px


def commitment(
    model: MODEL = "glyphs",
    prompt: PROMPT = "",
    other: Annotated[str, typer.Option(help="Also change the prompt to this one.")] = "",
    guidance: GUIDANCE = 1.0,
    seed: SEED = 0,
    steps: Annotated[int, typer.Option(help="Of the walk.")] = 8,
    forks: Annotated[int, typer.Option(help="At each step.")] = 16,
    sampler: Annotated[str, typer.Option(help="Of the walk; forks go on with ddpm.")] = "ddim",
    pictures: Annotated[
        tuple[str, str, str] | None,
        typer.Option(help="Tell ends apart by the nearest of these three, not by radicals."),
    ] = None,
    data: DATA = None,
    out: OUT = None,
    numbers: NUMBERS = None,
    overwrite: OVERWRITE = False,
) -> None:
    """Fork a walk at every step: from which on is it settled what it will draw?"""
    target = target_of(out, "commitment", overwrite, numbers)
    if is_film(target):
        raise UserError(f"--out {target}", "this view does not move", "Name a .png, .svg or .pdf")
    check_steps(steps)
    most = MOST_FORKS // steps
    if not 2 <= forks <= most:
        rule = f"must be from 2 to {most} at {steps} steps"
        raise UserError(f"--forks {forks}", rule, f"Use {min(16, most)}")
    if other and not prompt:
        raise UserError("--other", "there is no --prompt to change from", "Give one")
    check_data(data, pictures)
    from imagespace.atlas.commitment import commitment_view, fork, switch
    from imagespace.atlas.ends import check_deterministic, course_of
    from imagespace.atlas.showing import showing_of
    from imagespace.precision import fastest_dtype
    from imagespace.randomness import picture_noise

    loaded = model_of_pictures(model)
    options: SamplingOptions = {"sampler": sampler, "num_steps": steps}
    check_deterministic(loaded, options)
    has_judge = loaded.config.name == "glyphs" or pictures is not None
    if other and not has_judge:
        raise UserError(
            "--other", "nothing tells which prompt wins", "Name three --pictures to tell ends by"
        )
    reading = reading_of(loaded, pictures, data) if has_judge else None
    course = course_of(loaded, options, fastest_dtype())
    fork_course = course_of(loaded, {"sampler": "ddpm", "num_steps": steps}, course.dtype)
    first = denoiser_of(loaded, prompt, guidance, options)
    shape = loaded.config.network.sample_shape
    noises = picture_noise(shape, seed, "commitment", range(forks))
    with progress_bar("steps") as report:
        found = fork(first, noises[0], course, fork_course, forks, seed, report)
    switched = None
    if other:
        second = denoiser_of(loaded, other, guidance, options)
        with progress_bar("changes of prompt") as report:
            switched = switch(first, second, noises, course, report)
    showing = showing_of(loaded)
    view = commitment_view(found, reading, prompt or "no prompt", switched, other, showing)
    finish(view, target, numbers)
