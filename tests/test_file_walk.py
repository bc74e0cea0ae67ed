"""A run folder inside the folder of pictures that it learns from."""

import json

import pytest
from PIL import Image

from imagespace.pictures.file_walk import walk_files
from imagespace.pictures.folder import read_folder
from imagespace.training.loop import train
from imagespace.training.picture_data import PictureData


@pytest.fixture
def data(tmp_path):
    """Sixteen plain pictures whose names are their captions."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(16):
        Image.new("L", (16, 16), 10 * number).save(folder / f"grey square {number}.png")
    return folder


def test_an_interrupted_run_among_its_pictures_goes_on(tiny_run, encoder, data):
    """`cd mine && imagespace train .`, stopped and repeated: the pictures are the same ones."""
    before = read_folder(data, 16, 1)
    events = train(tiny_run, PictureData(tiny_run, before, encoder), data / "run")
    for progress in events:
        if progress.step == 6:
            events.close()
            break
    assert list((data / "run" / "samples").glob("*.png"))
    after = read_folder(data, 16, 1)
    assert after.captions == before.captions
    assert after.key == before.key
    reason = "it is a run folder of training"
    assert [(each.path, each.reason, each.beside) for each in after.unused] == [
        ("run", reason, True)
    ]
    assert after.notes == []
    for _ in train(tiny_run, PictureData(tiny_run, after, encoder), data / "run"):
        pass
    lines = (data / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(11))


@pytest.mark.parametrize(
    "config",
    [
        json.dumps({"model": "a camera", "pictures": 3}),
        json.dumps(["config", "data"]),
        "no JSON",
        None,
    ],
)
def test_other_folders_with_samples_are_pictures(data, config):
    """A config.json of another program, or none, keeps no picture out."""
    samples = data / "shoot" / "samples"
    samples.mkdir(parents=True)
    Image.new("L", (16, 16)).save(samples / "white wall.png")
    if config is not None:
        (data / "shoot" / "config.json").write_text(config)
    files, unused = walk_files(data)
    assert "shoot/samples/white wall.png" in files
    assert unused == []


def test_a_run_folder_that_is_named_itself_is_read(tiny_run, encoder, data):
    for _ in train(tiny_run, PictureData(tiny_run, read_folder(data, 16, 1), encoder), data / "r"):
        break
    assert any(name.startswith("samples/") for name in walk_files(data / "r")[0])
