"""A report says when its pictures are not those of the training, or not as they lie there."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from imagespace.evaluation.provenance import provenance_notes
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import Model


def model_of(tiny_model, key, source="weights.safetensors"):
    config = tiny_model.config.model_copy(update={"data_key": key})
    return Model(config, tiny_model.network, tiny_model.encoder, "0123", str(source))


def test_a_weights_file_knows_its_pictures_too(tiny_model, shapes_folder):
    pictures = read_folder(shapes_folder, 16, 1)
    assert provenance_notes(model_of(tiny_model, pictures.key), shapes_folder, pictures) == []
    (note,) = provenance_notes(model_of(tiny_model, "0123"), shapes_folder, pictures)
    assert "trained on pictures with the key 0123" in note
    assert "it may have seen what is called unseen here" in note
    # Nor is silence an answer, where a model of before cannot say.
    (note,) = provenance_notes(model_of(tiny_model, ""), shapes_folder, pictures)
    assert "is not recorded: it may have seen what is called unseen here" in note
    # But glyphs that are rendered for a model are what it was trained on, if it does not object.
    assert provenance_notes(model_of(tiny_model, ""), None, pictures) == []
    (note,) = provenance_notes(model_of(tiny_model, "0123"), None, pictures)
    assert "with the key 0123" in note


def test_a_run_folder_of_before_says_it_in_its_configuration(tiny_model, shapes_folder, tmp_path):
    pictures = read_folder(shapes_folder, 16, 1)
    (tmp_path / "config.json").write_text(json.dumps({"config": {}, "data": pictures.key}))
    assert provenance_notes(model_of(tiny_model, "", tmp_path), shapes_folder, pictures) == []
    (tmp_path / "config.json").write_text(json.dumps({"config": {}, "data": "0123"}))
    (note,) = provenance_notes(model_of(tiny_model, "", tmp_path), shapes_folder, pictures)
    assert "with the key 0123" in note


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def in_files(folder, encoded):
    for number, content in enumerate(encoded):
        (folder / f"{number}.png").write_bytes(content)


def in_an_archive(folder, encoded):
    with tarfile.open(folder / "pictures.tar", "w") as archive:
        for number, content in enumerate(encoded):
            member = tarfile.TarInfo(f"{number}.png")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def in_a_table(folder, encoded):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"bytes": content, "path": None} for content in encoded]
    parquet.write_table(pa.table({"image": rows}), folder / "pictures.parquet")


@pytest.mark.parametrize("write", [in_files, in_an_archive, in_a_table])
def test_colour_and_size_are_seen_wherever_the_pictures_lie(tiny_model, tmp_path, write):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (6, 24, 24, 3), dtype=np.uint8)
    pixels[:2] = pixels[:2, :, :, :1]  # two are grey
    write(tmp_path, [png(p) for p in pixels])
    grey = read_folder(tmp_path, 16, 1)
    assert len(grey.sources) == len(grey) == 6
    assert provenance_notes(model_of(tiny_model, grey.key), tmp_path, grey) == [
        "6 of 6 pictures looked at are not of 16 x 16 px, which the model draws: they are judged "
        "at its size",
        "4 of 6 pictures looked at have colour, and the model draws grey: they are judged in grey",
    ]
    colour = read_folder(tmp_path, 24, 3)
    assert provenance_notes(model_of(tiny_model, colour.key), tmp_path, colour) == []


def test_grey_pictures_for_a_model_of_colour_are_said(tiny_model, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 24, 24), dtype=np.uint8)
    in_an_archive(tmp_path, [png(p) for p in pixels])
    found = read_folder(tmp_path, 24, 3)
    assert provenance_notes(model_of(tiny_model, found.key), tmp_path, found) == [
        "the pictures looked at are grey, and the model draws colour"
    ]


def test_what_cannot_be_looked_at_is_said(tiny_model, tmp_path):
    in_files(tmp_path, [png(np.zeros((16, 16), np.uint8))] * 3)
    (tmp_path / "1.png").write_bytes(b"damaged")
    found = read_folder(tmp_path, 16, 1)
    names = [row["file_name"] for row in found.metadata]
    assert [str(source.open()) for source in found.sources] == [str(tmp_path / n) for n in names]
    assert len(names) == 2
    for file in tmp_path.glob("*.png"):
        file.unlink()  # packed before, gone since
    (note,) = provenance_notes(model_of(tiny_model, found.key), tmp_path, found)
    assert "could not be looked at" in note
