"""The command line: `imagespace generate`, `train`, `lab` and the rest of its commands."""

import io
import signal
import sys
from types import FrameType

import typer

from imagespace.cli import (
    axes,
    evaluate,
    field,
    generate,
    lab,
    map,
    models,
    morph,
    pictures,
    search,
    train,
    view,
)
from imagespace.errors import UserError

app = typer.Typer(
    name="imagespace",
    help="Train a text-to-image model on your own captioned pictures, and watch it draw.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("generate")(generate.generate)
app.command("morph")(morph.morph)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("map")(map.map_pictures)
app.command("search")(search.search)
app.command("models")(models.models)
app.command("field")(field.field)
app.command("likelihood")(field.likelihood)
app.add_typer(axes.app, name="axes")
app.add_typer(lab.app, name="lab")
app.add_typer(pictures.app, name="pictures")
app.add_typer(view.app, name="view")


def main() -> None:
    """Runs the command line; a user's mistake is one line on stderr and a non-zero exit."""
    signal.signal(signal.SIGTERM, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that it cannot show stops nothing
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(standalone_mode=False, prog_name="imagespace")
    except UserError as error:
        code = _fail(str(error))
    except KeyboardInterrupt:
        code = 130
    except OSError as error:
        # A full disk, a file without permission: the work so far is where it was.
        code = _fail(f"{error.filename or 'the system'}: {error.strerror or error}")
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":  # torch's, of a graphics card
            sys.exit(
                _fail("--device cuda: the card has too little memory. Use --network 4, or cpu")
            )
        # Typer's usage errors carry a message and an exit code; all else is our own bug.
        if not hasattr(error, "format_message"):
            raise
        message = error.format_message()
        if type(error).__name__ == "NoArgsIsHelpError":  # a bare command: its help is the answer
            print(message, file=sys.stderr)
            sys.exit(2)
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "imagespace"
        code = _fail(f"{message.rstrip('.')}. See `{command} --help`")
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> int:
    print(f"imagespace: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
