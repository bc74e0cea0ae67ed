"""The page of the interactive map as a file: what it refers to, its budget, what is refused."""

import base64
import dataclasses
import io
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hostile_page import SPRITE_PX, STANDING, colour_of, page_data
from PIL import Image

from imagespace.atlas.page import write_page
from imagespace.atlas.page_data import PageData
from imagespace.errors import UserError


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[PageData, Path]:
    data = page_data()
    return data, write_page(data, tmp_path_factory.mktemp("page") / "atlas.html")


class References(HTMLParser):
    """Everything in a page that a browser would load, and every way in which it might run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.found += [(k, v) for k, v in attrs if k in ("src", "href", "srcset", "data", "style")]
        self.found += [(k, v) for k, v in attrs if k.startswith("on")]


def test_page_refers_to_nothing(written):
    text = written[1].read_text(encoding="utf-8")
    parser = References()
    parser.feed(text)
    assert parser.found == []
    assert not {"link", "iframe", "img", "object", "embed", "base"} & set(parser.tags)
    assert "https://" not in text
    assert "http://" not in text
    assert "default-src 'none'" in text
    assert "unsafe" not in text


def block_of(page: Path, name: str) -> bytes:
    found = re.search(f'id="data-{name}">([^<]*)<', page.read_text(encoding="utf-8"))
    return base64.b64decode(found[1])


def test_pictures_that_no_quality_makes_small_enough_are_shown_smaller(tmp_path, monkeypatch):
    """A page of many pictures keeps its budget, and each picture is still in its own cell."""
    data = page_data(walks=False)
    random = np.random.default_rng(1)
    noisy = np.asarray(data.sprites, np.int64) + random.integers(-30, 31, (160, 160, 1))
    sheet = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    fields = {name: getattr(data, name) for name in data.__dataclass_fields__}
    noisy_data = PageData(**{**fields, "sprites": sheet})
    sizes = {}
    for budget in (30_000, 3_000):
        monkeypatch.setattr("imagespace.atlas.page.LOSSLESS_BELOW_PIXELS", 0)
        monkeypatch.setattr("imagespace.atlas.page.SPRITES_BUDGET_BYTES", budget)
        page = write_page(noisy_data, tmp_path / "small.html")
        block = block_of(page, "sprites")
        side = json.loads(zlib.decompress(block_of(page, "words")))["spritePx"]
        assert len(block) <= budget
        with Image.open(io.BytesIO(block)) as image:
            assert image.size == (10 * side, 10 * side)
            shown = np.asarray(image.convert("RGB"), np.int64)
        cells = shown.reshape(10, side, 10, side, 3).transpose(0, 2, 1, 3, 4).reshape(100, -1, 3)
        colours = np.array([colour_of(row) for row in range(100)])
        away = np.linalg.norm(cells.mean(axis=1)[:, None] - colours, axis=2)
        assert away.argmin(axis=1).tolist() == list(range(100))
        sizes[budget] = side
    assert sizes[30_000] == SPRITE_PX > sizes[3_000] >= 8


def test_arrays_that_disagree_are_refused(tmp_path):
    data = page_data(walks=False)
    fields = {name: getattr(data, name) for name in data.__dataclass_fields__}
    for change, said in (
        ({"captions": data.captions[:-1]}, "positions"),
        ({"cluster_of": data.cluster_of + 1}, "clusters"),
        ({"positions": np.full_like(data.positions, np.nan)}, "finite"),
        ({"sprites": Image.new("RGB", (10, 10))}, "sprites"),
        ({"density": -data.density}, "density"),
    ):
        with pytest.raises(UserError, match=said):
            PageData(**{**fields, **change})
    walks = page_data().walks
    for name, wrong in (
        ("x_t_positions", STANDING[:, :-1]),
        ("x_t_positions", STANDING * np.inf),
        ("is_x_t_off_map", walks.is_off_map[:1]),
    ):
        with pytest.raises(UserError, match=name):
            dataclasses.replace(walks, **{name: wrong})


def test_a_sheet_too_large_for_a_browser_is_refused_and_nothing_overwritten(tmp_path):
    path = tmp_path / "atlas.html"
    path.write_text("precious")
    data = page_data(walks=False)
    fields = {name: getattr(data, name) for name in data.__dataclass_fields__}
    with pytest.raises(UserError, match="16383"):
        write_page(PageData(**{**fields, "sprites": Image.new("L", (160, 16400))}), path)
    assert path.read_text() == "precious"
    assert [file.name for file in tmp_path.iterdir()] == ["atlas.html"]
