"""`imagespace pictures`: build a data folder, and look at one."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from imagespace.cli.output import check_out_file
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
_MOST_LISTED = 100


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
    place = shlex.quote(str(summary.folder))
    print(f"next: imagespace train {place} --recipe glyphs --out run --minutes 30")


@build_app.command("emoji")
def build_emoji(
    out: Annotated[Path, typer.Option(help="Folder to create.")] = Path("emoji"),
    size: Annotated[int, typer.Option(help="Side of a picture in pixels.")] = 64,
    all_styles: Annotated[
        bool, typer.Option("--all-styles", help="Four more styles, from npm packages.")
    ] = False,
    npm: Annotated[
        Path | None,
        typer.Option(help="Folder where those packages lie; without it npm fetches them."),
    ] = None,
) -> None:
    """Render emoji in several styles with their names and keywords."""
    from imagespace.pictures.emoji import build_emoji as build

    with progress_bar("rendering") as report:
        summary = build(out, size, all_styles, npm, report)
    print(
        f"{summary.num_pictures:,} pictures of {summary.num_concepts:,} concepts in "
        f"{summary.folder}"
    )
    for style, counts in summary.counts.items():
        splits = (f"{name} {count:,}" for name, count in sorted(counts.items(), reverse=True))
        print(f"  {style} {sum(counts.values()):,}: {', '.join(splits)}")
    for reason, count in summary.dropped.items():
        print(f"  left out: {count:,} ({reason})")
    print(f"whose they are: {summary.folder / 'ATTRIBUTION.md'}")
    print(f"next: imagespace train {shlex.quote(str(summary.folder))} --recipe emoji --out run")


@app.command("sheet")
def sheet(
    data: Annotated[Path, typer.Argument(help="Folder of pictures.")],
    out: Annotated[Path, typer.Option(help="PNG to write.")] = Path("sheet.png"),
    num: Annotated[int, typer.Option(help="How many pictures.")] = 64,
    split: Annotated[str, typer.Option(help="train, validation, held_out or all.")] = "all",
    size: Annotated[int, typer.Option(help="Side of a picture in pixels.")] = 128,
    fit: Annotated[
        str, typer.Option(help="How pictures become square: pad, crop or stretch.")
    ] = "pad",
    seed: Annotated[int, typer.Option(help="Which pictures.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Draw a contact sheet of captioned pictures."""
    import numpy as np
    from PIL import Image

    from imagespace.pictures.contact_sheet import contact_sheet
    from imagespace.pictures.decoding import DAMAGE, Rendering, reason_of, render
    from imagespace.pictures.folder import left_out_notes
    from imagespace.pictures.layouts.recognise import find_pictures
    from imagespace.pictures.split import SPLITS

    if num < 1:
        raise UserError(f"--num {num}", "at least one picture must be shown", "Use 1 or more")
    if seed < 0:
        raise UserError(f"--seed {seed}", "must not be negative", "Use 0 or more")
    if not 8 <= size <= 1024:
        raise UserError(f"--size {size}", "must be from 8 to 1024 pixels", "Use 64 or 128")
    if split not in (*SPLITS, "all"):
        known = ", ".join((*SPLITS, "all"))
        raise UserError(f"--split {split!r}", "there is no such split", f"Use one of {known}")
    if out.suffix.lower() != ".png":
        raise UserError(f"--out {out}", "a sheet is written as PNG", "Name a .png file")
    rendering = Rendering(size, 3, fit)
    check_out_file(out, overwrite)
    found = find_pictures(data)
    print(found.recognised)
    for note in found.notes + left_out_notes(found.unused, data):
        print(f"note: {note}")
    numbers = [i for i, row in enumerate(found.rows) if split in ("all", row["split"])]
    if not numbers:
        raise UserError(f"--split {split}", "has no pictures", "Use --split all")
    chosen, images = [], []
    for drawn in np.random.default_rng(seed).permutation(len(numbers)):
        row, source = found.rows[numbers[drawn]], found.sources[numbers[drawn]]
        try:
            images.append(Image.fromarray(render(source.open(), rendering)))
        except DAMAGE as error:
            print(f"note: {row['file_name']}: {reason_of(error)}: left out")
            continue
        chosen.append(row)
        if len(chosen) == num:
            break
    if not chosen:
        raise UserError(str(data), "none of its pictures can be read", "Save them anew")
    captions = [row["text"] or "(no caption)" for row in chosen]
    contact_sheet(images, captions, min(8, len(images))).save(out)
    print(out)


@app.command("check")
def check(
    data: Annotated[Path, typer.Argument(help="Folder of pictures.")],
    out: Annotated[
        Path | None, typer.Option(help="HTML page to write, instead of .imagespace/check.html.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Side in pixels to train at, instead of the recommended.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Look at a folder before training: what is wrong, what is not used and why, what suits it.

    Exits with 1 if training is not possible.
    """
    from imagespace.checkup.checkup import check_folder
    from imagespace.checkup.page import checkup_page
    from imagespace.pictures.file_walk import CACHE_FOLDER
    from imagespace.text.vectors import load_text_encoder

    if out is not None:
        if out.suffix.lower() not in (".html", ".htm"):
            raise UserError(f"--out {out}", "the page is written as HTML", "Name a .html file")
        check_out_file(out, overwrite)
    with progress_bar("looking at pictures") as report:
        checkup = check_folder(data, load_text_encoder(), size, report)
    if out is None:  # our own folder, in which pages may follow one another
        place = (data if data.is_dir() else data.parent) / CACHE_FOLDER
        out = place / ("check.html" if data.is_dir() else f"check-{data.name}.html")
    print(checkup.recognised or "no pictures")
    for line in checkup.counts:
        print(line)
    for note in checkup.notes:
        print(f"note: {note}")
    for finding in checkup.findings:
        print(f"{finding.severity}: {finding.line}")
    listed = sorted(checkup.unused, key=lambda each: each.beside)  # what may be missed comes first
    for unused in listed[:_MOST_LISTED]:
        print(f"not used: {unused.path}: {unused.reason}")
    if len(listed) > _MOST_LISTED:
        print(f"not used: {len(listed) - _MOST_LISTED:,} more, all of them listed on the page")
    if checkup.recommendation is not None:
        print("recommended: " + "\n  ".join(checkup.recommendation.lines))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(checkup_page(checkup), encoding="utf-8", errors="backslashreplace")
        print(f"page: {out}")
    except OSError as error:
        print(f"note: {out} cannot be written ({error.strerror}); --out names another place")
    if not checkup.is_trainable:
        raise typer.Exit(1)
    assert checkup.recommendation is not None
    recipe = checkup.recommendation.config.recipe
    minutes = max(1, round(checkup.recommendation.minutes))
    sized = f" --size {size}" if size is not None else ""
    folder = shlex.quote(str(data))
    print(f"next: imagespace train {folder} --recipe {recipe}{sized} --minutes {minutes}")
