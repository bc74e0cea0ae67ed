"""The folder reader: rows, captions, the cache and builds that are stopped."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagespace.errors import UserError
from imagespace.pictures import packing as packing_module
from imagespace.pictures.folder import read_folder
from imagespace.pictures.split import split_of

pytestmark = pytest.mark.usefixtures("home")


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
