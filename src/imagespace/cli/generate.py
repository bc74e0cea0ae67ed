"""`imagespace generate`: from prompts to pictures."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagespace.cli.output import check_out_file, check_png_name, free_name, plain_warnings
from imagespace.errors import UserError

if TYPE_CHECKING:
    from imagespace.pipeline import Model, Pictures, PictureSettings, SamplingOptions, Term

# A film shows this many pictures at most: more would be too small to watch.
FILMED_PICTURES = 8
DEFAULT_NUM = 4
LARGEST_NUM_POINTS = 1_000_000


def generate(
    prompts: Annotated[list[str] | None, typer.Argument(help="What to draw, in English.")] = None,
    num: Annotated[int, typer.Option(help="Pictures for each prompt.")] = DEFAULT_NUM,
    seed: Annotated[int, typer.Option(help="Picture i of a prompt is drawn from seed + i.")] = 0,
    steps: Annotated[int | None, typer.Option(help="Steps of the walk.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Pull of the prompt; 1 is off.")] = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            help="ddpm, ddim, euler, euler_ancestral, heun, dpmpp_2m, dpmpp_2m_sde, rk45, langevin;"
            " or a name such as 'DPM++ 2M Karras'."
        ),
    ] = None,
    spacing: Annotated[
        str | None, typer.Option(help="Of the steps: uniform, quadratic, karras or trailing.")
    ] = None,
    eta: Annotated[
        float | None, typer.Option(help="Fresh noise of ddim and dpmpp_2m_sde, 0 to 1.")
    ] = None,
    rescale: Annotated[float | None, typer.Option(help="Guidance rescale, 0 (off) to 1.")] = None,
    negative: Annotated[str, typer.Option(help="What to walk away from.")] = "",
    plus: Annotated[
        list[str] | None,
        typer.Option(help="Add what this prompt changes, as fire or fire:0.5; may be repeated."),
    ] = None,
    minus: Annotated[
        list[str] | None,
        typer.Option(help="Take away what this prompt changes, as water or water:0.5."),
    ] = None,
    autoguidance: Annotated[
        str | None,
        typer.Option(help="Walk away from this weaker model instead, as RUN/early.safetensors."),
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Start from this picture instead of pure noise.")
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(help="How much noise --start is given, above 0 to 1; 0.8 without --mask."),
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Draw --start anew where this picture is white.")
    ] = None,
    invert: Annotated[
        str | None,
        typer.Option(help="Redraw --start from its own noise, found under this prompt."),
    ] = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE: turn an axis that `imagespace axes find` found."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A .png for the sheet, or an existing folder for each picture too."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="A shipped model (glyphs, the default), a run folder or a weights file."),
    ] = None,
    film: Annotated[
        Path | None, typer.Option(help="Also save every step as a .webp or .gif.")
    ] = None,
    from_picture: Annotated[
        Path | None, typer.Option("--from", help="Repeat a PNG that generate wrote.")
    ] = None,
    truncate: Annotated[
        bool, typer.Option("--truncate", help="Cut prompts that are too long.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Draw pictures from prompts."""
    if prompts and from_picture:
        raise UserError(
            "prompt", "generate takes either prompts or --from", 'Try: imagespace generate "fish"'
        )
    sampling: SamplingOptions = {
        "num_steps": steps,
        "guidance": guidance,
        "guidance_rescale": rescale,
        "sampler": sampler,
        "spacing": spacing,
        "eta": eta,
    }
    settings_changed = any(value is not None for value in sampling.values())
    start_changed = (start, strength, mask, invert, autoguidance) != (None,) * 5
    others_changed = negative or plus or minus or truncate or num != DEFAULT_NUM or seed or axis
    terms = prompt_terms(plus or [], minus or [])
    if from_picture and (settings_changed or start_changed or others_changed):
        raise UserError(
            "--from",
            "repeats a picture with its own settings",
            "Leave out all options but --model, --out, --film and --overwrite",
        )
    if start is None and (strength, mask, invert) != (None, None, None):
        raise UserError(
            "--strength, --mask and --invert",
            "say how to start from a picture",
            "Name the picture with --start",
        )
    if num < 1:
        raise UserError(f"--num {num}", "at least one picture must be drawn", "Use 1 or more")
    if steps is not None and not 1 <= steps <= 1000:
        raise UserError(f"--steps {steps}", "a walk has 1 to 1000 steps", "Use about 16")
    if guidance is not None and not 0 <= guidance <= 100:
        raise UserError(f"--guidance {guidance:g}", "must be from 0 to 100", "Use about 3")
    # A model of points names its own files, once it is known to be one.
    target, folder = _target(out, (prompts or ["again"])[0], overwrite)
    if film is not None:
        from imagespace.pictures.film import check_film_name

        check_film_name(film)
        check_out_file(film, overwrite)
    started, only = time.perf_counter(), None
    if from_picture is not None:
        loaded, settings, only = _repeat(from_picture, model)
    else:
        from imagespace.pipeline import DEFAULT_MODEL, load, start_from
        from imagespace.pipeline.axis import parse_axes

        axes = parse_axes(axis or [])

        loaded = load(model or DEFAULT_MODEL)
        if loaded.config.network.kind == "perceptron":
            if prompts or start_changed or negative or terms or truncate or film or axis:
                raise UserError(
                    f"model {loaded.source}",
                    "draws points without text: it takes no prompt, start, film or second model",
                    "Leave out all but --num, --seed, --steps, --sampler, --spacing, --eta, --out",
                )
            _save_points(loaded, num, seed, out, overwrite, sampling)
            return
        if loaded.encoder is not None and not prompts:
            raise UserError("prompt", "there is none", 'Try: imagespace generate "fish"')
        begin = None if start is None else start_from(start, strength, mask, invert)
        weaker = None if autoguidance is None else load(autoguidance)
        with plain_warnings():
            settings = loaded.settings(
                prompts or "", num, seed, negative, truncate, weaker, begin, axes, terms, **sampling
            )
    # One picture that is repeated is the target itself.
    singles = [] if folder is None or only is not None else _single_names(target, len(settings))
    for name in singles:
        check_out_file(name, overwrite)
    num_kept = 0

    def keep(drawn: "Pictures") -> None:
        """Saves a batch's pictures at once, so that nothing that comes after can lose them."""
        nonlocal num_kept
        for number in range(len(drawn) if singles else 0):
            drawn.save(singles[num_kept], only=number)
            num_kept += 1

    try:
        pictures, frames = draw_watched(loaded, settings, film is not None, only, keep)
    except KeyboardInterrupt:
        if num_kept:
            said = f"interrupted; {num_kept:,} of {len(singles):,} pictures are in {folder}"
            print(f"imagespace: {said}", file=sys.stderr)
        raise
    pictures.save(target, only)
    if film is not None:
        from imagespace.pictures.film import save_film

        save_film(film, frames)
        print(film)
    num_shown = len(pictures) if only is None else 1
    noun = "picture" if num_shown == 1 else "pictures"
    seconds = time.perf_counter() - started
    print(f"{target}  ({num_shown} {noun} in {seconds:.1f} s)")


def _target(out: Path | None, stem: str, overwrite: bool) -> tuple[Path, Path | None]:
    """The sheet's file, and the folder for single pictures if `out` is one."""
    if out is None or out.is_dir():
        # Single pictures without a sheet are those of an interrupted call.
        more = () if out is None else ("-000.png",)
        target = free_name(out or Path(), stem, ".png", *more)
        check_out_file(target, overwrite=False)
        return target, out
    if not out.suffix:
        raise UserError(str(out), "there is no such folder", f"Create it: mkdir -p {out}")
    check_png_name(out)
    check_out_file(out, overwrite)
    return out, None


def _save_points(
    model: "Model",
    num: int,
    seed: int,
    out: Path | None,
    overwrite: bool,
    sampling: "SamplingOptions",
) -> None:
    """What a model of points draws: a scatter picture, and the list beside it."""
    from imagespace.pictures.scatter import scatter

    if num > LARGEST_NUM_POINTS:
        raise UserError(
            f"--num {num}", f"at most {LARGEST_NUM_POINTS:,} points at once", "Use several seeds"
        )
    target, _ = _target(out, f"{Path(model.source).name} points", overwrite)
    table = target.with_suffix(".csv")
    check_out_file(table, overwrite)
    points = model.sample(num, seed, **sampling)
    scatter({model.source: points}).save(target)
    rows = (",".join(f"{value:.6g}" for value in point) for point in points.tolist())
    table.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    print(table)
    print(f"{target}  ({num:,} points)")


def _single_names(target: Path, num: int) -> list[Path]:
    """Names beside the sheet for each picture by itself."""
    return [target.with_name(f"{target.stem}-{number:03d}.png") for number in range(num)]


def _repeat(
    picture: Path, model: str | None
) -> tuple["Model", "list[PictureSettings]", int | None]:
    """The model, what has to be drawn, and which of it a PNG shows if not all of it.

    Errors: UserError if it carries no settings, or the model is not here or has other weights.
    """
    from pydantic import ValidationError

    from imagespace.pictures.png_settings import read_settings
    from imagespace.pipeline import PictureSettings, batch_with, load

    try:
        stored, only = read_settings(picture)
        settings = [PictureSettings.model_validate(one) for one in stored]
    except ValidationError:
        raise UserError(
            str(picture), "carries settings that this version cannot read", "Update imagespace"
        ) from None
    if only is not None:  # of a sheet's settings, as early versions wrote them, too
        settings, only = batch_with(settings, only)
    try:
        loaded = load(model or settings[0].model)
    except UserError as error:
        if model:
            raise
        raise UserError(
            str(picture),
            f"was drawn by the model {settings[0].model!r}, which from here {error.rule}",
            "Name the model with --model",
        ) from None
    if loaded.sha256 != settings[0].model_sha256:
        raise UserError(
            str(picture),
            f"was drawn by weights {settings[0].model_sha256}, not {loaded.sha256}",
            "Name the model that drew it with --model",
        )
    import torch

    # One and two threads add in another order: the last bits differ.
    torch.set_num_threads(settings[0].num_threads)
    return loaded, settings, only


def prompt_terms(plus: list[str], minus: list[str]) -> "list[Term]":
    """The terms of `--plus` and `--minus`, each a prompt with a weight after a colon, or 1.

    UserError: a weight that is not above 0 and at most 10.
    """
    from imagespace.pipeline.settings import Term

    terms = []
    for sign, texts in ((1, plus), (-1, minus)):
        for text in texts:
            prompt, colon, number = text.rpartition(":")
            try:
                weight = float(number) if colon else 1.0
            except ValueError:  # a colon of the prompt's own
                prompt, colon, weight = text, "", 1.0
            if not 0 < weight <= 10:
                raise UserError(
                    f"weight {weight:g} of {prompt!r}",
                    "must be above 0, up to 10",
                    "Use --minus to take away, and :0.5 for half",
                )
            terms.append(Term(prompt=prompt if colon else text, weight=sign * weight))
    return terms


def draw_watched(
    model: "Model",
    settings: "Sequence[PictureSettings]",
    filmed: bool = False,
    only: int | None = None,
    keep: "Callable[[Pictures], None] | None" = None,
) -> tuple["Pictures", list[Any]]:
    """Walks all pictures, showing the first in a terminal and keeping the film's frames.

    `only` is the picture of the first batch that is shown and filmed instead. Every batch is handed
    to `keep` once it is drawn; of several it is said how far they are.
    """
    import numpy as np

    from imagespace.cli.preview import LivePreview
    from imagespace.pictures.film import film_frame
    from imagespace.pipeline import LARGEST_BATCH, Pictures, batches, pixels_to_image

    preview, frames, parts = LivePreview(model, only or 0), [], []
    filmed_rows = slice(FILMED_PICTURES) if only is None else slice(only, only + 1)
    num_drawn, is_long = 0, len(settings) > LARGEST_BATCH
    for number, batch in enumerate(batches(settings)):
        for step in model.steps(batch):
            preview.show(step, f"{num_drawn:,} of {len(settings):,} drawn" if is_long else "")
            if filmed and number == 0:
                where, seen = (
                    [pixels_to_image(p) for p in model.pixels(x[filmed_rows])]
                    for x in (step.x_t, step.x0_hat)
                )
                frames.append(film_frame(where, seen, f"step {step.index + 1}, t {step.t:.2f}"))
        parts.append(model.pixels(step.x_next, batch[0].start))
        num_drawn += len(batch)
        if keep is not None:
            keep(Pictures(parts[-1], batch))
        if is_long and not preview.width:
            print(f"{num_drawn:,} of {len(settings):,} pictures", file=sys.stderr)
    return Pictures(np.concatenate(parts), list(settings)), frames
