"""Options that several views have, and the rules that hold for them."""

from pathlib import Path
from typing import Annotated

import typer

from imagespace.errors import UserError

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

THREE = ("fish", "tree", "horse")
# Points a side, each asked of the model: more take days of a processor.
MOST_GRID = 257


def check_data(data: Path | None, pictures: tuple[str, str, str] | None) -> None:
    """UserError: a folder to take pictures from, and none is taken."""
    if data is not None and pictures is None:
        raise UserError(
            f"--data {data}", "has the pictures that --pictures names, and none is named", "Add it"
        )


def check_steps(steps: int, fewest: int = 1) -> None:
    """UserError: an impossible number of steps."""
    if not fewest <= steps <= 1000:
        rule = f"must be from {fewest} to 1000"
        raise UserError(f"--steps {steps}", rule, f"Use about {8 if fewest == 1 else 100}")
