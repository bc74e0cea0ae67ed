"""`imagespace search`: the pictures of a set nearest to words or to a picture."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagespace.cli.output import check_out_file, check_png_name, free_name
from imagespace.cli.progress import progress_bar
from imagespace.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from imagespace.evaluation.search import Search
    from imagespace.pictures.folder import PictureSet

MOST_FOUND = 200
SHEET_COLUMNS = 6


def search(
    query: Annotated[str, typer.Argument(help="Words, or a picture file.")],
    model: Annotated[
        str, typer.Option(help="Whose pictures: a model's name, run folder or file.")
    ] = "glyphs",
    data: Annotated[
        Path | None,
        typer.Option(help="The pictures that it was trained on; glyphs are made if left out."),
    ] = None,
    num: Annotated[int, typer.Option(help="Pictures, and captions of a picture, to find.")] = 12,
    out: Annotated[Path | None, typer.Option(help="PNG of what was found.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Find the pictures nearest to words, or the captions and pictures nearest to a picture."""
    if not 1 <= num <= MOST_FOUND:
        raise UserError(f"--num {num}", f"must be from 1 to {MOST_FOUND}", "Use 12")
    from imagespace.pictures.layouts.found import PICTURE_SUFFIXES

    is_picture = Path(query).suffix.lower() in PICTURE_SUFFIXES
    if is_picture and not Path(query).is_file():
        raise UserError(query, "there is no such picture", "Check the name")
    stem = f"nearest {Path(query).stem if is_picture else query}"
    target = out or free_name(Path(), stem, ".png")
    check_png_name(target)
    check_out_file(target, overwrite)
    from imagespace.pictures.contact_sheet import contact_sheet
    from imagespace.pipeline import pixels_to_image

    pictures, fit = _pictures(model, data)
    # What cannot be read is said before minutes are spent on the pictures.
    pixels = _pixels(Path(query), pictures, fit) if is_picture else None
    if pixels is None:
        _check_words(query)
    index = _index(pictures)
    vector = index.words(query) if pixels is None else index.space.embed_pictures(pixels)[0]
    if is_picture and index.captions:
        captions = index.nearest_captions(vector, num)
        print("captions")
        for row, score in zip(captions.rows, captions.scores, strict=True):
            print(f"{score:6.3f}  {index.captions[row]}")
        print("pictures")
    found = index.nearest_pictures(vector, num)
    for row, score in zip(found.rows, found.scores, strict=True):
        print(f"{score:6.3f}  {pictures.metadata[row]['file_name']}  {pictures.captions[row]}")
    images = [pixels_to_image(pictures.pixels[row]) for row in found.rows]
    labels = [pictures.captions[row] for row in found.rows]
    contact_sheet(images, labels, SHEET_COLUMNS).save(target)
    print(target)


def _pictures(model: str, data: Path | None) -> "tuple[PictureSet, str]":
    """A model's pictures, and how they became square."""
    from imagespace.evaluation.subject import pictures_of
    from imagespace.pipeline import load

    loaded = load(model)
    with progress_bar("reading pictures") as report:
        return pictures_of(loaded, data, report), loaded.config.fit


def _index(pictures: "PictureSet") -> "Search":
    """The set's space, shipped, kept from before or learnt now, and what lies in it."""
    from imagespace.evaluation.search import Search
    from imagespace.evaluation.space_training import space_of
    from imagespace.text.vectors import load_text_encoder

    with progress_bar("learning an image-text space") as report:
        space = space_of(
            pictures,
            load_text_encoder(),
            lambda fraction, loss: report(round(1000 * fraction), 1000),
        )
    with progress_bar("placing the pictures in it") as report:
        return Search(space, pictures, progress=report)


def _check_words(text: str) -> None:
    """Errors: UserError for words that cannot be read, or too many; some are only warned of."""
    from imagespace.evaluation.image_text_space import MAX_TEXT_TOKENS
    from imagespace.text.vectors import load_text_encoder

    for message in load_text_encoder().check_prompt(text, MAX_TEXT_TOKENS):
        print(f"imagespace: warning: {message}", file=sys.stderr)


def _pixels(path: Path, pictures: "PictureSet", fit: str) -> "NDArray[np.uint8]":
    """A picture file read as the set's own pictures are, uint8 [1, H, W, C]."""
    from imagespace.pictures.decoding import DAMAGE, open_picture

    height, num_channels = pictures.pixels.shape[1], pictures.pixels.shape[3]
    try:
        return open_picture(path, height, num_channels, fit)[None]
    except DAMAGE:
        raise UserError(str(path), "is not a readable picture", "Save it anew as PNG") from None
