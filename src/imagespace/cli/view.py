"""`imagespace view`: exact slices of the space, and walks on them, as pictures and films."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagespace.cli.chosen_pictures import chosen_pictures, some_pictures
from imagespace.cli.extras import check_extra
from imagespace.cli.output import check_out_file, free_name, plain_warnings
from imagespace.cli.progress import progress_bar
from imagespace.errors import UserError

if TYPE_CHECKING:
    from imagespace.atlas.reading import Reading
    from imagespace.atlas.view import View
    from imagespace.diffusion.denoiser import Denoiser
    from imagespace.pipeline import Model, SamplingOptions

app = typer.Typer(
    help="Look at the space itself: basins, slices, hills, clouds, forks, points.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

MODEL = Annotated[str, typer.Argument(help="A model's name, run folder or file.")]
OUT = Annotated[Path | None, typer.Option(help=".png, .svg, .pdf, or .webp and .gif for the film.")]
NUMBERS = Annotated[Path | None, typer.Option(help="Also write the numbers as this .json.")]
OVERWRITE = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]
PICTURES = Annotated[
    tuple[str, str, str],
    typer.Option(
        help="Three: files; rows or captions of --data; or prompts that the model draws first."
    ),
]
DATA = Annotated[Path | None, typer.Option(help="A picture folder to take --pictures from.")]
PROMPT = Annotated[str, typer.Option(help="Under this prompt; none by default.")]
AT = Annotated[float, typer.Option(help="Time: above 0 (clean) and below 1 (noise).")]
SEED = Annotated[int, typer.Option(help="Of the noise.")]
GUIDANCE = Annotated[float, typer.Option(help="Pull of the prompt; 1 is off.")]

PAGE_SUFFIX = ".html"
# Points a side, each asked of the model: more take days of a processor.
MOST_GRID = 257
MOST_GRID_OF_POINTS = 201  # all of which are asked at once
MOST_FORKS = 4_000  # of all steps together, whose ends are kept: 3 GB of pictures of 256 px
THREE = ("fish", "tree", "horse")
NUM_OF_SET = 400  # pictures that stand for a whole set
FILM_TIMES = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4, 0.35, 0.3)


@app.command("basins")
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
    target = _target(out, "basins", overwrite, numbers)
    if not 5 <= grid <= MOST_GRID or (grid - 1) % 4:
        raise UserError(
            f"--grid {grid}", f"must be 4 n + 1 and from 5 to {MOST_GRID}", "Use 17, 33 or 65"
        )
    _check_steps(steps)
    if _is_film(target) and len(prompt or [""]) * len(guidance or [1.0]) < 2:
        raise UserError(
            f"--out {target}",
            "a film of basins shows one prompt or guidance after the other",
            "Give --prompt or --guidance more than once, or name a .png",
        )
    if len(set(seeds)) < 3:
        raise UserError("--seeds", "must be three different ones", "Use 0 1 2")
    if guidance and not any(prompt or []):
        raise UserError("--guidance", "pulls towards a prompt, and there is none", "Give --prompt")
    _check_data(data, pictures)
    import torch

    from imagespace.atlas.basins import basins_view
    from imagespace.atlas.ends import check_deterministic, course_of
    from imagespace.atlas.showing import ShownReading, showing_of
    from imagespace.precision import fastest_dtype
    from imagespace.randomness import picture_noise

    loaded = _model_of_pictures(model)
    options: SamplingOptions = {"sampler": sampler, "num_steps": steps}
    check_deterministic(loaded, options)
    showing = showing_of(loaded)
    reading = ShownReading(_reading(loaded, pictures, data), showing)
    shown: list[tuple[str, Denoiser]] = []
    for words in prompt or [""]:
        for strength in guidance or [1.0]:
            label = words or "no prompt"
            if words and guidance:
                label += f", guidance {strength:g}"
            shown.append((label, _denoiser(loaded, words, strength if words else 1.0, options)))
    shape = loaded.config.network.sample_shape
    noises = torch.cat([picture_noise(shape, seed, "start", [0]) for seed in seeds])
    course = course_of(loaded, options, fastest_dtype())
    with progress_bar("noises") as report:
        view = basins_view(shown, noises, seeds, course, reading, grid, walk_all, report, showing)
    _finish(view, target, numbers)


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
        target = _target(out, kind, overwrite, numbers)
        if not 3 <= grid <= MOST_GRID:
            raise UserError(f"--grid {grid}", f"must be from 3 to {MOST_GRID}", "Use 17")
        if not 0 < at < 1:
            raise UserError(f"--at {at:g}", "must be above 0 and below 1", "Use about 0.6")
        from imagespace.atlas.hill import hill_view
        from imagespace.atlas.showing import showing_of
        from imagespace.atlas.slice import slice_view
        from imagespace.randomness import picture_noise

        loaded = _model_of_pictures(model)
        denoiser = _denoiser(loaded, prompt, guidance, {})
        x, names = chosen_pictures(loaded, pictures, data, seed)
        eps = picture_noise(loaded.config.network.sample_shape, seed, "slice", [0])[0]
        film_times = FILM_TIMES if _is_film(target) else ()
        make = slice_view if kind == "slice" else hill_view
        x_0, showing = loaded.encode(x), showing_of(loaded)
        with progress_bar("points") as report:
            view = make(denoiser, x_0, names, at, eps, grid, film_times, report, showing)
        _finish(view, target, numbers)

    command.__doc__ = says
    return command


app.command("slice")(
    _on_a_plane(
        "slice",
        17,
        "The field on the plane through three pictures: arrows, and how much of them lies in it.",
    )
)
app.command("hill")(
    _on_a_plane(
        "hill",
        25,
        "The plane through three pictures with the likelihood as its height (an estimate).",
    )
)


@app.command("forward")
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
    target = _target(out, "forward", overwrite, numbers)
    from imagespace.atlas.forward import forward_view
    from imagespace.atlas.showing import showing_of

    loaded = _model_of_pictures(model)
    x, names = chosen_pictures(loaded, pictures, data, seed)
    whole = None if data is None else loaded.encode(some_pictures(loaded, data, NUM_OF_SET, seed))
    film, showing = _is_film(target), showing_of(loaded)
    view = forward_view(loaded.schedule, loaded.encode(x), names, seed, film, showing, whole)
    _finish(view, target, numbers)


@app.command("commitment")
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
    target = _target(out, "commitment", overwrite, numbers)
    if _is_film(target):
        raise UserError(f"--out {target}", "this view does not move", "Name a .png, .svg or .pdf")
    _check_steps(steps)
    most = MOST_FORKS // steps
    if not 2 <= forks <= most:
        rule = f"must be from 2 to {most} at {steps} steps"
        raise UserError(f"--forks {forks}", rule, f"Use {min(16, most)}")
    if other and not prompt:
        raise UserError("--other", "there is no --prompt to change from", "Give one")
    _check_data(data, pictures)
    from imagespace.atlas.commitment import commitment_view, fork, switch
    from imagespace.atlas.ends import check_deterministic, course_of
    from imagespace.atlas.showing import showing_of
    from imagespace.precision import fastest_dtype
    from imagespace.randomness import picture_noise

    loaded = _model_of_pictures(model)
    options: SamplingOptions = {"sampler": sampler, "num_steps": steps}
    check_deterministic(loaded, options)
    has_judge = loaded.config.name == "glyphs" or pictures is not None
    if other and not has_judge:
        raise UserError(
            "--other", "nothing tells which prompt wins", "Name three --pictures to tell ends by"
        )
    reading = _reading(loaded, pictures, data) if has_judge else None
    course = course_of(loaded, options, fastest_dtype())
    fork_course = course_of(loaded, {"sampler": "ddpm", "num_steps": steps}, course.dtype)
    first = _denoiser(loaded, prompt, guidance, options)
    shape = loaded.config.network.sample_shape
    noises = picture_noise(shape, seed, "commitment", range(forks))
    with progress_bar("steps") as report:
        found = fork(first, noises[0], course, fork_course, forks, seed, report)
    switched = None
    if other:
        second = _denoiser(loaded, other, guidance, options)
        with progress_bar("changes of prompt") as report:
            switched = switch(first, second, noises, course, report)
    showing = showing_of(loaded)
    view = commitment_view(found, reading, prompt or "no prompt", switched, other, showing)
    _finish(view, target, numbers)


@app.command("points")
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
    target = _target(out, "points", overwrite, numbers, also=(PAGE_SUFFIX,))
    _check_steps(steps, fewest=2)
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
        _tell(page.numbers, target, numbers)
        return
    film = _is_film(target)
    with progress_bar("times") as report:
        if shape[0] == 1:
            view = river_view(denoiser, true, steps, film)
        else:
            view = point_field_view(denoiser, true, grid, steps, seed, film, report)
    _finish(view, target, numbers)


def _target(
    out: Path | None,
    kind: str,
    overwrite: bool,
    numbers: Path | None,
    also: tuple[str, ...] = (),
) -> Path:
    """The file to write; its name and place are checked before any work.

    `also` are suffixes that this view can take besides those of figures and films.
    """
    check_extra("view", "atlas", "matplotlib", "scipy")
    from imagespace.atlas.view import check_view_name

    target = out or free_name(Path(), f"view {kind}", ".png")
    check_view_name(target, also)
    check_out_file(target, overwrite)
    if numbers is not None:
        if numbers.suffix.lower() != ".json":
            raise UserError(f"--numbers {numbers}", "numbers are JSON", "Name a .json file")
        check_out_file(numbers, overwrite)
    return target


def _check_data(data: Path | None, pictures: tuple[str, str, str] | None) -> None:
    if data is not None and pictures is None:
        raise UserError(
            f"--data {data}", "has the pictures that --pictures names, and none is named", "Add it"
        )


def _is_film(target: Path) -> bool:
    from imagespace.pictures.film import FILM_SUFFIXES

    return target.suffix.lower() in FILM_SUFFIXES


def _check_steps(steps: int, fewest: int = 1) -> None:
    if not fewest <= steps <= 1000:
        rule = f"must be from {fewest} to 1000"
        raise UserError(f"--steps {steps}", rule, f"Use about {8 if fewest == 1 else 100}")


def _model_of_pictures(name: str) -> "Model":
    from imagespace.pipeline import load

    loaded = load(name)
    if len(loaded.config.network.sample_shape) != 3:
        raise UserError(
            f"model {name}", "draws points, not pictures", "Use: imagespace view points"
        )
    return loaded


def _denoiser(
    model: "Model", prompt: str, guidance: float, options: "SamplingOptions"
) -> "Denoiser":
    if not 0 <= guidance <= 100:
        raise UserError(f"--guidance {guidance:g}", "must be from 0 to 100", "Use about 3")
    if guidance != 1 and not prompt:
        raise UserError("--guidance", "pulls towards a prompt, and there is none", "Give --prompt")
    with plain_warnings():
        guided: SamplingOptions = {**options, "guidance": guidance}
        return model.prompted(prompt, **guided)


def _reading(model: "Model", pictures: tuple[str, str, str] | None, data: Path | None) -> "Reading":
    """What tells ends apart: the radical judge, or the nearest of the pictures given."""
    from imagespace.atlas.reading import NearestReading, RadicalReading

    if pictures is not None:
        return NearestReading(*chosen_pictures(model, pictures, data, 0))
    if model.config.name != "glyphs":
        raise UserError(
            f"model {model.source}",
            "does not draw glyphs: no judge names its pictures",
            "Name three --pictures to colour by, with --data for rows or captions",
        )
    return RadicalReading()


def _finish(view: "View", target: Path, numbers: Path | None) -> None:
    view.save(target)
    _tell(view.numbers, target, numbers)


def _tell(found: Mapping[str, Any], target: Path, numbers: Path | None) -> None:
    if numbers is not None:
        numbers.write_text(json.dumps(dict(found), indent=1) + "\n", encoding="utf-8")
        print(numbers)
    for line in _lines(found):
        print(line)
    print(target)


def _lines(numbers: Mapping[str, Any], before: str = "") -> list[str]:
    """The numbers, one plain line each."""
    lines = []
    for key, value in numbers.items():
        name = f"{before}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            lines += _lines(value, f"{name}: ")
        elif isinstance(value, list):
            lines.append(f"{name}: {', '.join(_plain(one) for one in value)}")
        else:
            lines.append(f"{name}: {_plain(value)}")
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "none" if value is None else str(value)
