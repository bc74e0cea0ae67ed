"""What folders are recognised as, and that each layout yields the right pictures and captions."""

import io
import json
import os
import sys
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from imagespace.errors import UserError
from imagespace.pictures.folder import PictureSet, read_folder
from imagespace.pictures.layouts.recognise import find_pictures
from imagespace.pictures.name_words import has_word, words_of_folder
from imagespace.pictures.split import split_of

pytestmark = pytest.mark.usefixtures("home")


def _png(value: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8), value).save(file, "PNG")
    return file.getvalue()


def _save(path: Path, value: int = 100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_png(value))


def _by_value(pictures: PictureSet) -> dict[int, str]:
    """The caption of each picture, which is told by its level."""
    levels = pictures.pixels[:, 0, 0, 0].tolist()
    return dict(zip(levels, pictures.captions, strict=True))


# --- plain and class folders ----------------------------------------------------------------


def test_names_with_words_are_captions(tmp_path: Path) -> None:
    for value, name in enumerate(("red-fox_012.png", "two  cats.png", "7.png")):
        _save(tmp_path / name, value)
    (tmp_path / ".hidden").mkdir()
    _save(tmp_path / ".hidden" / "no.png")
    pictures = read_folder(tmp_path, 8, 1)
    assert _by_value(pictures) == {0: "red fox", 1: "two cats", 2: ""}
    said = "plain pictures: 2 of 3 file names hold words, which are the captions"
    assert pictures.recognised == said
    assert [(each.path, each.reason) for each in pictures.unused] == [(".hidden", "it is hidden")]
    assert pictures.notes == []
    assert pictures.splits[1] == split_of("red fox")


def test_names_of_cameras_and_hashes_are_none(tmp_path: Path) -> None:
    names = ["IMG_2041.png", "DSC00012.png", "3f2a9bc4d1.png", "Screenshot 2024-01-02.png"]
    names.append("cat.png")
    for value, name in enumerate(names):
        _save(tmp_path / name, value)
    pictures = read_folder(tmp_path, 8, 1)
    assert set(pictures.captions) == {""}
    assert pictures.recognised == "plain pictures: no captions (1 of 5 file names hold words)"
    assert [split_of(row["file_name"]) for row in pictures.metadata] == pictures.splits.tolist()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("red-fox_012.png", True),
        ("cat12.png", True),
        ("猫咪.png", True),
        ("кошка.png", True),
        ("Écureuil.png", True),
        ("IMG-20240102-WA0001.jpg", False),
        ("PXL_20240101_101010.jpg", False),
        ("deadbeef.png", False),
        ("xQzWkRb.png", False),
        ("U+3400.png", False),
        ("00012.png", False),
        ("a_b.png", False),
    ],
)
def test_what_a_word_is(name: str, expected: bool) -> None:
    assert has_word(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("red_fox", "red fox"),
        ("001.Black_footed_Albatross", "Black footed Albatross"),
        ("n02123045-tabby", "tabby"),
        ("10_dog", "dog"),
        ("2024", ""),
        ("images", ""),
        ("batch_12", ""),
    ],
)
def test_what_a_class_folder_is_called(name: str, expected: str) -> None:
    assert words_of_folder(name) == expected


def test_class_folders_have_all_splits_in_each(tmp_path: Path) -> None:
    for number in range(300):
        kind = ("cat", "dog_breeds", "bird")[number % 3]
        _save(tmp_path / "animals" / kind / f"IMG_{number}.png", number % 256)
    found = find_pictures(tmp_path)
    assert found.recognised == "class folders: 3 folder names are captions (bird, cat, dog breeds)"
    counts = Counter((row["text"], row["split"]) for row in found.rows)
    for kind in ("cat", "dog breeds", "bird"):
        assert counts[kind, "train"] > 70
        assert counts[kind, "validation"] > 0
        assert counts[kind, "held_out"] > 0


def test_folders_named_after_splits_are_splits(tmp_path: Path) -> None:
    for number in range(200):
        part = "train" if number < 150 else "test"
        _save(tmp_path / part / ("cat", "dog")[number % 2] / f"{number}.png", number)
    found = find_pictures(tmp_path)
    assert {row["text"] for row in found.rows} == {"cat", "dog"}
    for row in found.rows:
        if row["file_name"].startswith("test"):
            assert row["split"] == "held_out"
        else:  # validation is not given: it is taken out of training
            is_drawn = split_of(row["file_name"]) == "validation"
            assert row["split"] == ("validation" if is_drawn else "train")
    assert {row["split"] for row in found.rows} == {"train", "validation", "held_out"}


# --- text files beside the pictures ---------------------------------------------------------


def test_text_files_beside_the_pictures(tmp_path: Path) -> None:
    for value, name in enumerate(("a.png", "b.jpg.png", "c.png", "d.png")):
        _save(tmp_path / name, value)
    (tmp_path / "a.txt").write_bytes("\ufeffa red\r\nfox\r\n".encode())
    (tmp_path / "b.jpg.png.caption").write_text("a hen")
    (tmp_path / "c.txt").write_text("a cow")
    (tmp_path / "c.caption").write_text("a brown cow")
    (tmp_path / "gone.txt").write_text("nobody's")
    pictures = read_folder(tmp_path, 8, 1)
    assert _by_value(pictures) == {0: "a red fox", 1: "a hen", 2: "a cow", 3: ""}
    assert pictures.alternatives[2] == ["a brown cow"]
    assert pictures.recognised.startswith("sidecar text files: 3 of 4 pictures have NAME.txt")
    assert "1 picture has no text file: no caption" in pictures.notes
    assert [(each.path, each.reason) for each in pictures.unused] == [
        ("gone.txt", "no picture has its name")
    ]


def test_few_texts_do_not_outweigh_class_folders(tmp_path: Path) -> None:
    for number in range(20):
        _save(tmp_path / ("cat", "dog")[number % 2] / f"{number}.png", number)
    (tmp_path / "cat" / "0.txt").write_text("a remark")
    pictures = read_folder(tmp_path, 8, 1)
    assert _by_value(pictures)[0] == "cat"
    assert [each.path for each in pictures.unused] == ["cat/0.txt"]


# --- metadata -------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_metadata_as_a_table(tmp_path: Path, separator: str) -> None:
    for value in (1, 2, 3):
        _save(tmp_path / "sub" / f"{value}.png", value)
    rows = [
        ("file_name", "caption", "artist"),
        ("1.png", f'"a cat{separator} ""big""\nand red"', "me"),
        ("2.png", "a dog", "you"),
        ("gone.png", "nothing", ""),
        ("3.png", "too", "many", "columns"),
    ]
    text = "\ufeff" + "".join(separator.join(row) + "\r\n" for row in rows)
    (tmp_path / "sub" / "metadata.csv").write_bytes(text.encode())
    pictures = read_folder(tmp_path, 8, 1)
    first = 'a cat "big" and red' if separator == "\t" else f'a cat{separator} "big" and red'
    assert _by_value(pictures) == {1: first, 2: "a dog"}
    assert pictures.metadata[0]["artist"] == "me"
    listed = {each.path: each.reason for each in pictures.unused}
    assert listed["sub/gone.png"].startswith("there is no such picture (sub/metadata.csv, line 5")
    assert listed["sub/metadata.csv, line 6"] == "it has 4 columns; the first line has 3"
    assert listed["sub/3.png"] == "no row of the metadata names it"


def test_a_table_without_names_is_no_metadata(tmp_path: Path) -> None:
    _save(tmp_path / "a.png")
    (tmp_path / "metadata.csv").write_text("id,text\n1,a cat\n")
    with pytest.raises(UserError, match=r'no column is named "file_name" \(there are: id, text\)'):
        read_folder(tmp_path, 8, 1)


def test_rows_find_files_of_other_systems(tmp_path: Path) -> None:
    _save(tmp_path / "sub" / "caf\u0065\u0301.png", 1)  # e and its accent apart
    rows = [{"file_name": "sub\\caf\u00e9.png", "text": "a café"}]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert _by_value(read_folder(tmp_path, 8, 1)) == {1: "a café"}


# --- archives -------------------------------------------------------------------------------


def _tar(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_webdataset(tmp_path: Path) -> None:
    _tar(
        tmp_path / "shard-0000.tar",
        {
            "a/0001.png": _png(1),
            "a/0001.txt": "a cat\n".encode("utf-16"),
            "a/0002.png": _png(2),
            "a/0002.json": json.dumps({"caption": "a dog", "width": 8}).encode(),
            "0003.png": _png(3),
            "0003.json": b"{",
            "0004.txt": b"nobody's",
            "0005.cls": b"7",
            "0006.png": b"broken",
        },
    )
    _tar(tmp_path / "shard-0001.tar", {"0001.png": _png(11), "0001.txt": b"a hen"})
    _tar(tmp_path / "shard-0002.tar", {"0001.png": _png(21), "0002.png": _png(22) + bytes(3000)})
    cut = (tmp_path / "shard-0002.tar").read_bytes()[:2000]
    (tmp_path / "shard-0002.tar").write_bytes(cut)
    (tmp_path / "x.tar.gz").write_bytes(b"\x1f\x8b")
    pictures = read_folder(tmp_path, 8, 1)
    assert _by_value(pictures) == {1: "a cat", 2: "a dog", 3: "", 11: "a hen", 21: "", 22: ""}
    assert pictures.recognised.startswith("WebDataset: ")
    listed = {each.path: each.reason for each in pictures.unused}
    assert listed["shard-0000.tar/0003.json"].startswith("it is no JSON")
    assert listed["shard-0000.tar/0004.txt"] == "no picture has its name"
    assert listed["shard-0000.tar/0006.png"] == "it is no picture of a format that is read"
    assert "shard-0000.tar/0005.cls" in listed
    assert listed["shard-0002.tar"].startswith("it is damaged or no plain .tar after 2 pictures")
    assert listed["x.tar.gz"] == "it is a compressed archive: unpack it"
    alone = read_folder(tmp_path / "shard-0001.tar", 8, 1)
    assert _by_value(alone) == {11: "a hen"}


def test_shards_named_after_splits(tmp_path: Path) -> None:
    for number, part in enumerate(("train", "val", "test")):
        _tar(tmp_path / f"{part}-0.tar", {"1.png": _png(number), "1.txt": b"same words"})
    assert read_folder(tmp_path, 8, 1).splits.tolist() == ["held_out", "train", "validation"]


# --- tables ---------------------------------------------------------------------------------


def _classes(names: list[str]) -> dict[bytes, bytes]:
    """What `datasets` writes into a schema of pictures with classes."""
    features = {
        "image": {"_type": "Image"},
        "label": {"names": names, "_type": "ClassLabel"},
    }
    return {b"huggingface": json.dumps({"info": {"features": features}}).encode()}


def test_parquet_with_captions(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    cells = [{"bytes": _png(value), "path": f"{value}.png"} for value in range(5)]
    _save(tmp_path / "files" / "5.png", 5)
    _save(tmp_path / "files" / "3.png", 200)  # not the one in the table
    cells.append({"bytes": None, "path": "5.png"})
    cells += [{"bytes": None, "path": None}, {"bytes": b"no", "path": None}]
    texts = [f"number  {value}" for value in range(8)]
    table = pyarrow.table({"id": texts, "caption": texts, "n": range(8), "image": cells})
    parquet.write_table(table, tmp_path / "files" / "a.parquet", row_group_size=3)
    pictures = read_folder(tmp_path / "files" / "a.parquet", 8, 1)
    assert _by_value(pictures) == {value: f"number {value}" for value in range(6)}
    assert [row["n"] for row in pictures.metadata] == list(range(6))
    assert pictures.metadata[3]["file_name"] == "a.parquet#3"
    assert {each.path: each.reason for each in pictures.unused} == {
        "a.parquet#6": "its cell is empty",
        "a.parquet#7": "it is no picture of a format that is read",
    }
    for name in ("3.png", "5.png"):
        (tmp_path / "files" / name).rename(tmp_path / name)
    assert _by_value(read_folder(tmp_path / "files", 4, 1)) == {
        value: f"number {value}" for value in range(5)
    }


def test_parquet_with_classes_and_splits(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    for part, values in (("train", range(100)), ("test", range(100, 120))):
        cells = [{"bytes": _png(value), "path": None} for value in values]
        labels = [value % 2 for value in values]
        table = pyarrow.table({"image": cells, "label": labels})
        table = table.replace_schema_metadata(_classes(["fire_truck", "hen"]))
        (tmp_path / "data").mkdir(exist_ok=True)
        parquet.write_table(table, tmp_path / "data" / f"{part}-00000-of-00001.parquet")
    pictures = read_folder(tmp_path, 8, 1)
    expected = {value: ("fire truck", "hen")[value % 2] for value in range(120)}
    assert _by_value(pictures) == expected
    assert pictures.pixels[pictures.indices("held_out")].min() == 100
    assert len(pictures.indices("held_out")) == 20
    assert len(pictures.indices("validation")) > 0


def test_a_folder_written_by_datasets(tmp_path: Path) -> None:
    """The files of `Dataset.save_to_disk`: a stream of record batches, state and description."""
    pyarrow = pytest.importorskip("pyarrow")
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    schema = pyarrow.schema([("image", kind), ("label", pyarrow.int64())], _classes(["cat", "dog"]))
    with pyarrow.ipc.new_stream(str(tmp_path / "data-00000-of-00001.arrow"), schema) as writer:
        for start in (0, 3):
            cells = [{"bytes": _png(start + k), "path": None} for k in range(3)]
            columns = [pyarrow.array(cells, kind), pyarrow.array([0, 1, 0])]
            writer.write_batch(pyarrow.record_batch(columns, schema=schema))
    (tmp_path / "state.json").write_text("{}")
    (tmp_path / "dataset_info.json").write_text("{}")
    (tmp_path / "cache-1234.arrow").write_bytes(b"what it remembers")
    pictures = read_folder(tmp_path, 8, 1)
    assert _by_value(pictures) == {0: "cat", 1: "dog", 2: "cat", 3: "cat", 4: "dog", 5: "cat"}
    assert pictures.recognised == "tables: 6 pictures in 1 files, captions from column 'label'"


def test_tables_without_pictures_or_without_pyarrow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"url": ["https://example.org/a.png"], "caption": ["a cat"]})
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(UserError, match="no column of pictures"):
        read_folder(tmp_path, 8, 1)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no table PAR1")
    with pytest.raises(UserError, match="it is damaged or no such table"):
        read_folder(tmp_path, 8, 1)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UserError, match=r'pip install "imagespace\[parquet\]"'):
        read_folder(tmp_path, 8, 1)


# --- what is not used -----------------------------------------------------------------------


def test_what_lies_beside_is_listed_and_other_formats_are_named(tmp_path: Path) -> None:
    _save(tmp_path / "cat.png")
    for name in ("README.md", "photo.heic", "all.zip", "more.tar"):
        (tmp_path / name).write_bytes(b"x")
    pictures = read_folder(tmp_path, 8, 1)
    listed = {each.path: (each.reason, each.beside) for each in pictures.unused}
    assert listed["README.md"] == ("it is no picture", True)
    assert "save it as PNG or JPEG" in listed["photo.heic"][0]
    assert "unpack it" in listed["all.zip"][0]
    assert "its own folder" in listed["more.tar"][0]
    assert pictures.notes[0].startswith("3 files left out")


def test_a_drawing_is_used_once_it_can_be_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("resvg_py")
    _save(tmp_path / "fox.png")
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect/></svg>'
    (tmp_path / "hen.svg").write_text(drawing)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "resvg_py", None)
        patch.setattr("imagespace.pictures.packing.can_render_svg", lambda: False)
        without = read_folder(tmp_path, 8, 1)
    assert without.captions == ["fox"]
    assert 'pip install "imagespace[svg]"' in without.unused[0].reason
    assert read_folder(tmp_path, 8, 1).captions == ["fox", "hen"]


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    _save(tmp_path / "other" / "far.png", 1)
    _save(tmp_path / "set" / "near.png", 2)
    os.symlink(tmp_path / "other", tmp_path / "set" / "link")
    os.symlink(tmp_path / "other", tmp_path / "set" / "link2")
    os.symlink(tmp_path / "set", tmp_path / "other" / "back")
    os.symlink("..", tmp_path / "set" / "up")
    found = find_pictures(tmp_path / "set")
    assert sorted(row["file_name"] for row in found.rows) == ["link/far.png", "near.png"]
    assert sorted(each.path for each in found.unused) == ["link/back", "link2", "up"]
