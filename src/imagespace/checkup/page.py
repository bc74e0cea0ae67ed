"""The page of a check: one HTML file with the pictures that it speaks of."""

from collections.abc import Iterable, Iterator
from html import escape

from PIL import Image

from imagespace.checkup.caption_findings import distinct_captions, texts_of
from imagespace.checkup.checkup import Checkup, shown_numbers
from imagespace.checkup.finding import SEVERITIES, Finding, counted
from imagespace.page import bullets, document, grid, picture, table
from imagespace.pictures.decoding import DAMAGE, Rendering, render

_THUMBNAIL_PX = 96
_NUM_THUMBNAILS = 48
_HEADS = {
    "error": "What makes training impossible",
    "warning": "What training would suffer from",
    "remark": "Remarks",
}
_STYLE = """<style>
.thumbnails { display: grid; grid-template-columns: repeat(auto-fill, 96px); gap: .8rem; }
.thumbnails figure { margin: 0; display: flex; flex-direction: column-reverse;
  justify-content: flex-end; }
.thumbnails figcaption { font-size: .75rem; line-height: 1.25; font-weight: 400; }
</style>"""


def checkup_page(checkup: Checkup) -> str:
    """HTML that needs no other file; every file that is not used is on it."""
    return document(f"Check of {checkup.path}", _parts(checkup))


def _parts(checkup: Checkup) -> Iterator[str]:
    yield _STYLE
    verdict = "Training is possible." if checkup.is_trainable else "Training is not possible yet."
    yield (
        f"<header><h1>{escape(str(checkup.path))}</h1>"
        f"<p>{escape(checkup.recognised)}</p><p><strong>{verdict}</strong></p></header>"
    )
    yield grid(_cards(checkup), "cards")
    for severity in SEVERITIES:
        chosen = [each for each in checkup.findings if each.severity == severity]
        if chosen:
            yield f"<h2>{_HEADS[severity]}</h2>"
            for finding in chosen:
                yield _finding(checkup, finding)
    if checkup.notes:
        yield f"<h2>How the folder was read</h2>{bullets(checkup.notes)}"
    if checkup.rows:
        yield "<h2>Sizes</h2>" + table(
            ["longer side", "pictures"], [[name, f"{count:,}"] for name, count in checkup.sizes]
        )
        chosen_numbers = shown_numbers(len(checkup.rows), _NUM_THUMBNAILS)
        yield f"<h2>Some of the pictures</h2>{_thumbnails(checkup, chosen_numbers)}"
    if checkup.unused:
        yield f"<h2>Not used: {counted(len(checkup.unused), 'file or row', 'files or rows')}</h2>"
        rows = [[escape(each.path), escape(each.reason)] for each in checkup.unused]
        yield table(
            ["", "reason"], [[path, f'<td class="verdict">{why}</td>'] for path, why in rows]
        )


def _cards(checkup: Checkup) -> Iterator[str]:
    files = checkup.files
    yield _card(
        "Files",
        f"{files.num_files:,}",
        f"{files.num_pictures:,} with pictures, {files.num_captions:,} with captions, "
        f"{files.num_unused:,} not used",
    )
    splits = ", ".join(f"{name} {count:,}" for name, count in checkup.splits.items())
    yield _card("Pictures", f"{len(checkup.rows):,}", splits)
    num_captioned = sum(bool(texts_of(row)) for row in checkup.rows)
    distinct = distinct_captions(checkup.rows)
    yield _card("With a caption", f"{num_captioned:,}", f"{len(distinct):,} captions are distinct")
    if checkup.recommendation is not None:
        first, *others = checkup.recommendation.lines
        minutes = f"{checkup.recommendation.minutes:.0f} min"
        yield _card("Recommended training", minutes, ". ".join([first, *others]))


def _card(head: str, value: str, text: str) -> str:
    return (
        f'<div class="card"><h2>{escape(head)}</h2><strong>{escape(value)}</strong>'
        f"<p>{escape(text)}</p></div>"
    )


def _finding(checkup: Checkup, finding: Finding) -> str:
    groups = [_thumbnails(checkup, group) for group in finding.groups]
    return (
        f'<section class="{finding.severity}"><h3>{escape(finding.kind)}</h3>'
        f"<p>{escape(finding.line)}</p>{'<hr>'.join(groups)}"
        + (
            f"<details><summary>Examples</summary>{bullets(finding.examples)}</details>"
            if finding.examples
            else ""
        )
        + "</section>"
    )


def _thumbnails(checkup: Checkup, numbers: Iterable[int]) -> str:
    parts = []
    for number in numbers:
        row = checkup.rows[number]
        channels = 3 if checkup.looks[number].has_colour else 1
        try:
            pixels = render(checkup.sources[number].open(), Rendering(_THUMBNAIL_PX, channels))
        except DAMAGE:
            continue  # it was changed since it was looked at
        image = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
        text = (texts_of(row) or [row["file_name"]])[0]
        parts.append(picture(image, text if len(text) <= 60 else f"{text[:59]}…"))
    return grid(parts, "thumbnails")
