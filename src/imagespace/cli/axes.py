"""`imagespace axes`: find attributes that one can turn, list them, show and measure them."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from imagespace.cli.output import check_out_file, check_png_name, free_name, plain_warnings
from imagespace.errors import UserError

if TYPE_CHECKING:
    from imagespace.pipeline import Model
    from imagespace.pipeline.axis import Axis

app = typer.Typer(help="Axes that one can turn, as brightness.", no_args_is_help=True)

ModelName = Annotated[str, typer.Argument(help="A model's name, run folder or file.")]
AxisName = Annotated[str, typer.Option("--axis", help="Its name, as brightness.")]
Steps = Annotated[int | None, typer.Option(help="Steps of each walk.")]


@app.command("find")
def find(
    model: ModelName = "glyphs",
    attribute: Annotated[
        str | None,
        typer.Option(help="brightness, density, roundness; in colour greenness, yellowness."),
    ] = None,
    words: Annotated[
        tuple[str, str] | None, typer.Option(help="From one to the other: two prompts.")
    ] = None,
    examples: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="From some pictures to others: two folders of pictures."),
    ] = None,
    unnamed: Annotated[
        str | None, typer.Option(help="pca or ica: what varies most, or independently.")
    ] = None,
    of: Annotated[
        str | None,
        typer.Option(help="Of --unnamed: bottleneck (usual), or the samples, latents or pictures."),
    ] = None,
    num: Annotated[int | None, typer.Option(help="Of --unnamed: how many; 8 if left out.")] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call it; without, as bird-fish.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The pictures that it was trained on; glyphs have their own."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace axes of the same name.")
    ] = False,
) -> None:
    """Find an axis on the training pictures: an attribute, a direction, or several unnamed ones."""
    asked = [attribute, words, examples, unnamed]
    if sum(one is not None for one in asked) != 1:
        raise UserError(
            "axes find",
            "finds one of --attribute, --words, --examples and --unnamed",
            "Give exactly one: --attribute brightness",
        )
    if unnamed not in (None, "pca", "ica"):
        raise UserError(f"--unnamed {unnamed}", "is neither pca nor ica", "Use --unnamed pca")
    if unnamed is None and (of, num) != (None, None):
        raise UserError("--of and --num", "are of --unnamed", "Leave them out")
    of, num = of or "bottleneck", 8 if num is None else num
    if of not in ("bottleneck", "latents", "pictures"):
        raise UserError(f"--of {of}", "is none of them", "Use bottleneck, latents or pictures")
    called = _axis_name(name, words, examples)
    from imagespace.axes.directions import (
        check_num,
        component_name,
        find_examples,
        find_unnamed,
        find_words,
    )
    from imagespace.axes.finding import check_attribute, find_attribute
    from imagespace.evaluation.subject import pictures_of
    from imagespace.pictures.folder import read_folder
    from imagespace.pipeline import load
    from imagespace.pipeline.axis import axes_folder

    loaded = load(model)
    if attribute is not None:
        check_attribute(loaded, attribute)
    folder = axes_folder(loaded.source, loaded.sha256)
    names = [attribute or called]
    if unnamed is not None:
        check_num(num)
        names = [component_name(unnamed, of, number) for number in range(num)]
    if not overwrite:
        _check_unknown(folder, names)
    pictures = pictures_of(loaded, data)
    _warn_of_others(loaded.config.data_key, pictures.key)
    with plain_warnings():
        if attribute is not None:
            found = [find_attribute(loaded, pictures, attribute)]
        elif words is not None:
            found = [find_words(loaded, pictures, words, called)]
        elif examples is not None:
            channels, size_px, _ = loaded.config.picture_shape
            fit = loaded.config.fit
            first, second = (read_folder(one, size_px, channels, fit=fit) for one in examples)
            found = [find_examples(loaded, pictures, (first, second), called)]
        else:
            kind: Literal["pca", "ica"] = "ica" if unnamed == "ica" else "pca"
            found = list(find_unnamed(loaded, pictures, kind, of, num))  # type: ignore[arg-type]
    for axis in found:
        path = folder / f"{axis.name}.safetensors"
        axis.save(path)
        print(f"{path}  ({_meaning(axis)})")


def _warn_of_others(trained_key: str, key: str) -> None:
    """Warns of pictures that are not those of the training: the units would be of others."""
    if trained_key and key != trained_key:
        print(
            "imagespace: warning: these are not the very pictures that the model was trained on: "
            "the axis, and its unit, will be of these",
            file=sys.stderr,
        )


def _check_unknown(folder: Path, names: list[str]) -> None:
    """UserError: an axis is there, from which pictures may have been drawn."""
    from imagespace.pipeline.axis import known_axes

    if known := [name for name in names if name in known_axes(folder)]:
        raise UserError(
            f"axis {', '.join(known)}",
            f"is in {folder}, and pictures may have been drawn with it",
            "Add --overwrite, or give a direction another --name",
        )


def _axis_name(
    name: str | None, words: tuple[str, str] | None, examples: tuple[Path, Path] | None
) -> str:
    """What `--axis` will call a direction.

    UserError unless it is at most 80 letters, digits and dashes, and no attribute.
    """
    from imagespace.pictures.attributes import ATTRIBUTES

    parts = words or tuple(each.resolve().name for each in examples or ())
    called = name or "-".join(re.sub(r"\W+", "_", part.strip()) for part in parts)
    if called and (not re.fullmatch(r"[\w-]{1,80}", called) or called in ATTRIBUTES):
        why = "is not at most 80 letters, digits and dashes"
        if called in ATTRIBUTES:
            why = "is an attribute"
        raise UserError(f"--name {called!r}", why, "Name it as bird-fish")
    if name and not parts:
        raise UserError(f"--name {name}", "names --words or --examples", "Leave it out")
    return called


def _meaning(axis: "Axis") -> str:
    from imagespace.pictures.attributes import ATTRIBUTES

    if axis.place != "attribute":
        return axis.meaning
    k = axis.attributes.index(axis.name)
    return f"{ATTRIBUTES[axis.name].meaning}; 1 = {axis.units[k]:.3g}, others are held"


@app.command("list")
def list_axes(model: ModelName = "glyphs") -> None:
    """The axes that have been found for a model, and how purely they were seen to turn."""
    from imagespace.axes.purity import stored_purity
    from imagespace.pipeline import load
    from imagespace.pipeline.axis import axes_folder, known_axes, load_axis

    loaded = load(model)
    folder = axes_folder(loaded.source, loaded.sha256)
    for name in known_axes(folder):
        try:
            axis = load_axis(folder, name, loaded.source, loaded.sha256)
        except UserError as error:  # of other weights, or damaged: the rest are listed still
            print(f"{name}  cannot be turned: {error.rule}")
            continue
        print(f"{name}  {_meaning(axis)}")
        if (report := stored_purity(folder / f"{name}.safetensors")) is not None:
            print(f"    {report.summary}")
    if not known_axes(folder):
        print(f"none yet; try: imagespace axes find {model} --attribute brightness")


@app.command("sweep")
def sweep_axis(
    axis: AxisName,
    prompt: Annotated[list[str], typer.Option(help="A row for each; may be repeated.")],
    model: ModelName = "glyphs",
    seed: Annotated[int, typer.Option(help="Of every row.")] = 0,
    steps: Steps = None,
    out: Annotated[Path | None, typer.Option(help="PNG to write.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Draw a strip: the axis turned from -3 to +3, all else the same."""
    target = out or free_name(Path(), f"{axis} {prompt[0]}", ".png")
    check_png_name(target)
    check_out_file(target, overwrite)
    from imagespace.axes.strip import strip, sweep

    loaded, _ = _with_axis(model, axis)
    with plain_warnings():
        pixels = sweep(loaded, axis, prompt, seed=seed, num_steps=steps)
    strip(pixels, axis).save(target)
    print(target)


@app.command("report")
def report(
    axis: AxisName,
    prompt: Annotated[list[str], typer.Option(help="What to draw; may be repeated.")],
    model: ModelName = "glyphs",
    num: Annotated[int, typer.Option(help="Pictures for each prompt.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the first picture of each prompt.")] = 0,
    steps: Steps = None,
) -> None:
    """Print how purely an axis turns, on pictures drawn for it with each value from -3 to +3."""
    if num < 1:
        raise UserError(f"--num {num}", "at least one picture must be drawn", "Use 1 or more")
    from imagespace.axes.identity import identity
    from imagespace.axes.purity import purity
    from imagespace.axes.strip import SWEEP, sweep
    from imagespace.evaluation.space_training import kept_space
    from imagespace.pipeline.axis import axes_folder

    loaded, found = _with_axis(model, axis)
    with plain_warnings():
        pixels = sweep(loaded, axis, prompt, num, seed, num_steps=steps)
    space = None if loaded.encoder is None else kept_space(found.data_key, loaded.encoder)
    kept = identity(pixels, SWEEP.index(0.0), space, loaded.config.name == "glyphs")
    measured = purity(found, pixels, kept)
    path = axes_folder(loaded.source, loaded.sha256) / f"{axis}.safetensors"
    found.save(path, measured.model_dump_json())
    print(f"{axis}, -3 to +3, {measured.num_pictures} pictures, in standard deviations:")
    for name, moved, drift in zip(measured.attributes, measured.moved, measured.drift, strict=True):
        print(f"  {name:<11} moved {moved:+.2f}  strayed {drift:.2f}")
    if measured.monotone is not None:
        print(f"  rises at every step in {measured.monotone:.0%} of the pictures")
        print(f"  most that another attribute strays, of the move: {measured.leak:.2f}")
    others = "" if kept.of_others is None else f"; between different pictures {kept.of_others:.2f}"
    print(
        f"  cosine with the unturned picture: {kept.cosine:.2f} ({kept.features} features{others})"
    )
    if kept.radical is not None:
        print(f"  the judged radical stays in {kept.radical:.0%} of the turned pictures")
    print(f"  kept in {path}")


def _with_axis(model: str, name: str) -> "tuple[Model, Axis]":
    from imagespace.pipeline import load
    from imagespace.pipeline.axis import axes_folder, load_axis

    loaded = load(model)
    folder = axes_folder(loaded.source, loaded.sha256)
    return loaded, load_axis(folder, name, loaded.source, loaded.sha256)
