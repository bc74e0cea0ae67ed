"""Many pictures on one white sheet, each with its caption under it."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from imagespace.errors import UserError

_INK, _PAPER = (40, 40, 40), (255, 255, 255)
_MAX_LINES = 2
# Smaller pictures are shown enlarged, a pixel as a square: they and their captions must be legible.
_SMALLEST_CELL_PX = 48


def contact_sheet(
    pictures: Sequence[Image.Image], captions: Sequence[str] | None, columns: int
) -> Image.Image:
    """An RGB sheet of `columns` pictures a row; a caption takes two lines at most.

    All cells are as large as the largest picture. UserError: no picture, or fewer than 1 column.
    """
    if not pictures or columns < 1:
        raise UserError(
            f"{len(pictures)} pictures in {columns} columns",
            "a sheet needs at least one of each",
            "Ask for more.",
        )
    if captions is not None and len(captions) != len(pictures):
        raise ValueError(f"{len(captions)} captions for {len(pictures)} pictures")
    columns = min(columns, len(pictures))
    largest = max(max(picture.size) for picture in pictures)
    if (factor := _SMALLEST_CELL_PX // largest) > 1:
        pictures = [
            picture.resize((factor * picture.width, factor * picture.height), Image.Resampling.BOX)
            for picture in pictures
        ]
    cell_width = max(picture.width for picture in pictures)
    cell_height = max(picture.height for picture in pictures)
    gap = max(4, cell_width // 16)
    font_px = max(9, min(20, cell_width // 10))
    font = ImageFont.load_default(size=font_px)
    line_height = round(1.25 * font_px)
    lines = [_wrap(caption, font, cell_width) for caption in captions or [""] * len(pictures)]
    num_lines = max(len(wrapped) for wrapped in lines)
    label_height = num_lines * line_height + (gap // 2 if num_lines else 0)
    rows = -(-len(pictures) // columns)
    sheet = Image.new(
        "RGB",
        (gap + columns * (cell_width + gap), gap + rows * (cell_height + label_height + gap)),
        _PAPER,
    )
    drawing = ImageDraw.Draw(sheet)
    for number, (picture, wrapped) in enumerate(zip(pictures, lines, strict=True)):
        row, column = divmod(number, columns)
        left = gap + column * (cell_width + gap)
        top = gap + row * (cell_height + label_height + gap)
        inset = ((cell_width - picture.width) // 2, (cell_height - picture.height) // 2)
        sheet.paste(picture.convert("RGB"), (left + inset[0], top + inset[1]))
        for index, line in enumerate(wrapped):
            place = (left + cell_width / 2, top + cell_height + gap / 4 + index * line_height)
            drawing.text(place, line, font=font, fill=_INK, anchor="ma")
    return sheet


def _wrap(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width_px: int
) -> list[str]:
    """At most two lines of whole words within `width_px`; an ellipsis shows what is cut."""
    lines: list[str] = []
    words = text.split()
    while words and len(lines) < _MAX_LINES:
        line = words.pop(0)
        while words and font.getlength(f"{line} {words[0]}") <= width_px:
            line = f"{line} {words.pop(0)}"
        lines.append(line)
    if words:
        lines[-1] += " …"
    return [_shorten(line, font, width_px) for line in lines]


def _shorten(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width_px: int) -> str:
    """`line` if it fits, else as much of it as fits before an ellipsis."""
    if font.getlength(line) <= width_px:
        return line
    line = line.removesuffix("…").rstrip()
    while line and font.getlength(f"{line}…") > width_px:
        line = line[:-1].rstrip()
    return f"{line}…"
