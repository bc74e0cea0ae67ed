"""`imagespace axes`: find attributes that one can turn, list them, show and measure them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    attribute: Annotated[
        str, typer.Option(help="brightness, density, roundness; in colour greenness, yellowness.")
    ],
    model: ModelName = "glyphs",
    data: Annotated[
        Path | None,
        typer.Option(help="The pictures that it was trained on; glyphs have their own."),
    ] = None,
) -> None:
    """Measure an attribute's unit on the training pictures and keep it as an axis."""
    from imagespace.axes.finding import check_attribute, find_attribute
    from imagespace.evaluation.subject import pictures_of
    from imagespace.pipeline import load
    from imagespace.pipeline.axis import axes_folder

    loaded = load(model)
    check_attribute(loaded, attribute)
    axis = find_attribute(loaded, pictures_of(loaded, data), attribute)
    path = axes_folder(loaded.source, loaded.sha256) / f"{axis.name}.safetensors"
    axis.save(path)
    k = axis.attributes.index(axis.name)
    print(
        f"{path}  (1 = {axis.units[k]:.3g}, the standard deviation of {axis.name} over "
        f"{axis.num_pictures:,} pictures; others are held)"
    )


@app.command("list")
def list_axes(model: ModelName = "glyphs") -> None:
    """The axes that have been found for a model."""
    from imagespace.pictures.attributes import ATTRIBUTES
    from imagespace.pipeline import load
    from imagespace.pipeline.axis import axes_folder, known_axes, load_axis

    loaded = load(model)
    folder = axes_folder(loaded.source, loaded.sha256)
    for name in known_axes(folder):
        axis = load_axis(folder, name, loaded.source, loaded.sha256)
        k = axis.attributes.index(name)
        print(f"{name}  {ATTRIBUTES[name].meaning}; 1 = {axis.units[k]:.3g}")
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
    from imagespace.axes.purity import purity
    from imagespace.axes.strip import sweep

    loaded, found = _with_axis(model, axis)
    with plain_warnings():
        pixels = sweep(loaded, axis, prompt, num, seed, num_steps=steps)
    measured = purity(found, pixels)
    print(f"{axis}, -3 to +3, {measured.num_pictures} pictures, in standard deviations:")
    for name, moved, drift in zip(measured.attributes, measured.moved, measured.drift, strict=True):
        print(f"  {name:<11} moved {moved:+.2f}  strayed {drift:.2f}")
    print(f"  rises at every step in {measured.monotone:.0%} of the pictures")
    print(f"  most that another attribute strays, of the move: {measured.leak:.2f}")


def _with_axis(model: str, name: str) -> "tuple[Model, Axis]":
    from imagespace.pipeline import load
    from imagespace.pipeline.axis import axes_folder, load_axis

    loaded = load(model)
    folder = axes_folder(loaded.source, loaded.sha256)
    return loaded, load_axis(folder, name, loaded.source, loaded.sha256)
