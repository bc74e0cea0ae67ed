"""The run folder: one trainer, nothing half written, no other run overwritten."""

import json

import pytest

from imagespace.errors import UserError
from imagespace.pictures.folder import read_folder
from imagespace.training.config import AutoencoderRun
from imagespace.training.loop import train
from imagespace.training.picture_data import PictureData
from imagespace.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def pictures(shapes_folder):
    return read_folder(shapes_folder, 16, 1)


def test_a_run_has_one_trainer(tiny_run, pictures, encoder, tmp_path):
    first = train(tiny_run, PictureData(tiny_run, pictures, encoder), tmp_path / "run")
    next(first)
    with pytest.raises(UserError, match="another process"):
        next(train(tiny_run, PictureData(tiny_run, pictures, encoder), tmp_path / "run"))
    first.close()
    next(train(tiny_run, PictureData(tiny_run, pictures, encoder), tmp_path / "run"))


def test_another_run_is_not_overwritten(tiny_run, pictures, encoder, tmp_path):
    next(iter(train(tiny_run, PictureData(tiny_run, pictures, encoder), tmp_path / "run")))
    training = tiny_run.training.model_copy(update={"seed": 5})
    other = tiny_run.model_copy(update={"training": training})
    with pytest.raises(UserError, match="other settings"):
        next(iter(train(other, PictureData(other, pictures, encoder), tmp_path / "run")))
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "photo.txt").write_text("mine")
    with pytest.raises(UserError, match="not a run folder"):
        next(iter(train(tiny_run, PictureData(tiny_run, pictures, encoder), tmp_path / "holiday")))
    assert [p.name for p in (tmp_path / "holiday").iterdir()] == ["photo.txt"]


def test_an_unlike_run_is_not_said_to_be_of_random_weights(tiny_run, tmp_path):
    """A run from a model, sent to the folder of an autoencoder or of who knows what."""
    RunFolder(tmp_path / "autoencoder").open(AutoencoderRun(recipe="autoencoder"), "pictures")
    RunFolder(tmp_path / "damaged").open(tiny_run, "pictures")
    (tmp_path / "damaged" / "config.json").write_text('{"config": ')
    RunFolder(tmp_path / "list").open(tiny_run, "pictures")
    (tmp_path / "list" / "config.json").write_text("[1]")
    config = tiny_run.model_copy(update={"initial_sha256": "0123456789abcdef"})
    for name in ("autoencoder", "damaged", "list"):
        with pytest.raises(UserError, match=r"holds another kind of run, or a config\.json"):
            RunFolder(tmp_path / name).open(config, "pictures")
    RunFolder(tmp_path / "plain").open(tiny_run, "pictures")
    with pytest.raises(UserError, match="was begun from random weights, not 0123456789abcdef"):
        RunFolder(tmp_path / "plain").open(config, "pictures")


def test_what_a_killed_process_wrote_half_is_removed(
    tiny_run, pictures, encoder, tmp_path, monkeypatch
):
    run, data = tmp_path / "run", PictureData(tiny_run, pictures, encoder)
    events = train(tiny_run, data, run)
    next(events)

    def killed(*names):
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr("imagespace.checkpoints.os.replace", killed)
        for write in (
            events.close,
            lambda: data.save(run / "model.safetensors", {}),
            lambda: data.save(run / "early.safetensors", {}),
            lambda: data.save(run / "history" / "images-0000000160.safetensors", {}),
        ):
            with pytest.raises(InterruptedError):
                write()
    del events
    assert len(list(run.rglob("*.partial"))) == 4
    (run / "mine.partial").touch()
    next(train(tiny_run, data, run))
    assert [path.name for path in run.rglob("*.partial")] == ["mine.partial"]


def test_parts_of_a_running_process_are_left_to_it(tiny_run, pictures, encoder, tmp_path):
    run, data = tmp_path / "run", PictureData(tiny_run, pictures, encoder)
    events = train(tiny_run, data, run)
    next(events)
    part = run / "checkpoints" / ".step-00000005.partial"
    part.mkdir()
    with pytest.raises(UserError, match="another process"):
        next(train(tiny_run, data, run))
    assert part.is_dir()
    events.close()


def test_a_killed_process_leaves_nothing_of_the_steps_that_are_taken_again(
    tiny_run, pictures, encoder, tmp_path
):
    run, data = tmp_path / "run", PictureData(tiny_run, pictures, encoder)
    for progress in (events := train(tiny_run, data, run)):
        if progress.step == 3:
            events.close()
            break
    stale = (
        run / "history" / "images-0000999936.safetensors",
        run / "samples" / "step-00099999.png",
    )
    for path in stale:
        path.write_bytes(b"of a process that was killed")
    kept = sorted((run / "samples").glob("step-0000000*"))
    next(train(tiny_run, data, run))
    assert not stale[0].is_file()
    assert not stale[1].is_file()
    assert kept
    assert all(path.is_file() for path in kept)


def test_a_run_closed_before_its_first_step_is_continued_from_there(
    tiny_run, pictures, encoder, tmp_path
):
    data = PictureData(tiny_run, pictures, encoder)
    events = train(tiny_run, data, tmp_path / "run")
    next(events)
    events.close()
    assert (tmp_path / "run" / "checkpoints" / "step-00000000").is_dir()
    for _ in train(tiny_run, data, tmp_path / "run"):
        pass
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == list(range(11))
