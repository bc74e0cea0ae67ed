"""`imagespace pictures`: build a data folder, and look at one."""

from pathlib import Path
from typing import Annotated

import typer

from imagespace.cli.progress import progress_bar
from imagespace.errors import UserError

app = typer.Typer(
    help="Build a folder of captioned pictures, and look at it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
build_app = typer.Typer(
    help="Build a picture set from installed packages.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(build_app, name="build")


@build_app.command("glyphs")
def build_glyphs(
    out: Annotated[Path, typer.Option(help="Folder to create.")] = Path("glyphs"),
    size: Annotated[int, typer.Option(help="Side of a picture in pixels.")] = 128,
) -> None:
    """Render the Chinese glyphs with their English definitions."""
    from imagespace.pictures.glyphs import build_glyphs as build

    if size < 16:
        raise UserError(f"--size {size}", "a glyph needs at least 16 pixels", "Use 64 or 128")
    with progress_bar("rendering") as report:
        summary = build(out, size, report)
    print(
        f"{summary.num_pictures:,} glyphs in {summary.folder}: {summary.num_captioned:,} with a "
        f"definition, {summary.num_uncaptioned:,} without"
    )
    print("  " + ", ".join(f"{name} {count:,}" for name, count in summary.splits.items()))
    for reason, count in summary.dropped.items():
        print(f"  left out: {count:,} ({reason})")
    print(f"next: imagespace train {summary.folder} --recipe glyphs --out run --minutes 30")


@app.command("sheet")
def sheet(
    data: Annotated[Path, typer.Argument(help="Folder of pictures.")],
    out: Annotated[Path, typer.Option(help="PNG to write.")] = Path("sheet.png"),
    num: Annotated[int, typer.Option(help="How many pictures.")] = 64,
    split: Annotated[str, typer.Option(help="train, validation, held_out or all.")] = "all",
    size: Annotated[int, typer.Option(help="Side of a picture in pixels.")] = 128,
    seed: Annotated[int, typer.Option(help="Which pictures.")] = 0,
) -> None:
    """Draw a contact sheet of captioned pictures."""
    import numpy as np
    from PIL import Image

    from imagespace.cli.output import check_out_file
    from imagespace.pictures.contact_sheet import contact_sheet
    from imagespace.pictures.folder import read_folder
    from imagespace.pictures.split import SPLITS

    if num < 1:
        raise UserError(f"--num {num}", "at least one picture must be shown", "Use 1 or more")
    if split not in (*SPLITS, "all"):
        raise UserError(
            f"--split {split!r}", "there is no such split", f"Use one of {', '.join(SPLITS)}, all"
        )
    check_out_file(out, overwrite=True)
    with progress_bar("reading") as report:
        pictures = read_folder(data, size, 3, report)
    for note in pictures.notes:
        print(f"note: {note}")
    rows = np.arange(len(pictures)) if split == "all" else pictures.indices(split)
    if not len(rows):
        raise UserError(f"--split {split}", "has no pictures", "Use --split all")
    rows = np.random.default_rng(seed).permutation(rows)[:num]
    images = [Image.fromarray(pictures.pixels[row]) for row in rows]
    captions = [pictures.captions[row] or "(no caption)" for row in rows]
    contact_sheet(images, captions, min(8, len(rows))).save(out)
    print(out)
