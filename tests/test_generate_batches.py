"""Calls of more pictures than one walk holds: kept as they are drawn, and repeated one by one."""

import sys

import numpy as np
import pytest
from PIL import Image

from imagespace.checkpoints import save_model
from imagespace.cli import main
from imagespace.cli.generate import draw_watched
from imagespace.pictures.film import film_frame
from imagespace.pictures.png_settings import read_settings, save_png
from imagespace.pipeline import (
    LARGEST_BATCH,
    Model,
    PictureSettings,
    batch_with,
    batches,
    pixels_to_image,
)

NUM = LARGEST_BATCH + 6


@pytest.fixture(scope="module")
def weights(tiny_model, tmp_path_factory):
    """The small model as a file that the command line can load."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    fingerprint = {"text_fingerprint": tiny_model.encoder.fingerprint}
    save_model(
        path, tiny_model.network.state_dict(), tiny_model.config.model_copy(update=fingerprint)
    )
    return path


def words(weights, *more):
    return ("generate", "a square", "--model", weights, "--num", NUM, "--steps", 2, *more)


@pytest.fixture(scope="module")
def folder(weights, tmp_path_factory):
    """Seventy single pictures beside their sheet, and what the command said."""
    out = tmp_path_factory.mktemp("singles")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["imagespace", *map(str, words(weights, "--out", out))])
        with pytest.raises(SystemExit) as left:
            main()
    assert left.value.code == 0
    return out


def test_a_single_picture_carries_its_own_batch_alone(tiny_model, tmp_path):
    pictures = tiny_model.generate(["a square", "a disc"], num=NUM, num_steps=2)
    path = pictures.save(tmp_path / "one.png", only=LARGEST_BATCH + 2)
    stored, only = read_settings(path)
    settings = [PictureSettings.model_validate(one) for one in stored]
    assert settings == pictures.settings[LARGEST_BATCH : 2 * LARGEST_BATCH]
    assert only == 2
    again = tiny_model.draw(settings)
    assert np.array_equal(again.pixels[only], pictures.pixels[LARGEST_BATCH + 2])
    again.save(tmp_path / "again.png", only)
    assert (tmp_path / "again.png").read_bytes() == path.read_bytes()


def test_every_picture_has_its_place_in_the_walks(tiny_model):
    """Also where the walks differ: their bounds are those of `batches`."""
    settings = tiny_model.settings("a square", num=NUM) + tiny_model.settings("a disc", num_steps=3)
    found = [batch_with(settings, index) for index in range(len(settings))]
    assert [len(batch) for batch in batches(settings)] == [LARGEST_BATCH, 6, 1]
    assert [batch[place] for batch, place in found] == settings
    assert [list(batches(batch)) for batch, _ in found] == [[batch] for batch, _ in found]
    for outside in (-1, len(settings)):
        with pytest.raises(IndexError):
            batch_with(settings, outside)


def test_a_single_is_repeated_alone_and_to_the_byte(folder, printed, tmp_path):
    single = folder / f"a-square-{NUM - 1:03d}.png"
    with Image.open(folder / "a-square-000.png") as first, Image.open(single) as last:
        assert len(first.info["imagespace"]) > 5 * len(last.info["imagespace"])
    said = printed("generate", "--from", single, "--out", "one.png")
    assert "(1 picture in" in said.out
    assert (tmp_path / "one.png").read_bytes() == single.read_bytes()
    (tmp_path / "more").mkdir()
    printed("generate", "--from", single, "--out", "more")
    (written,) = (tmp_path / "more").iterdir()
    assert written.read_bytes() == single.read_bytes()


def test_a_single_of_an_earlier_version_is_repeated_by_its_batch(
    tiny_model, weights, printed, tmp_path
):
    """It carries the settings of every picture of its call."""
    printed(*words(weights, "--out", "sheet.png"))
    stored, _ = read_settings(tmp_path / "sheet.png")
    old = tmp_path / "old.png"
    save_png(old, Image.new("L", (16, 16)), stored, only=NUM - 1)
    said = printed("generate", "--from", old, "--out", "new.png")
    assert f"of {NUM}" not in said.err
    assert len(read_settings(tmp_path / "new.png")[0]) == NUM - LARGEST_BATCH
    drawn = tiny_model.draw([PictureSettings.model_validate(one) for one in stored])
    with Image.open(tmp_path / "new.png") as new:
        assert np.array_equal(np.asarray(new), drawn.pixels[NUM - 1, :, :, 0])


def test_the_film_of_a_single_shows_that_one(tiny_model):
    settings = tiny_model.settings("a square", num=12, num_steps=3)
    shown = []

    def frame(step, row):
        pair = (pixels_to_image(tiny_model.pixels(x)[row]) for x in (step.x_t, step.x0_hat))
        where, seen = pair
        return film_frame([where], [seen], f"step {step.index + 1}, t {step.t:.2f}")

    for step in tiny_model.steps(settings):
        shown.append(frame(step, 10))
    _, frames = draw_watched(tiny_model, settings, filmed=True, only=10)
    assert [np.asarray(f).tobytes() for f in frames] == [np.asarray(f).tobytes() for f in shown]


def test_how_far_it_is_is_said_a_batch_at_a_time(weights, printed):
    said = printed(*words(weights, "--out", "sheet.png"))
    assert said.err.splitlines() == [
        f"{LARGEST_BATCH} of {NUM} pictures",
        f"{NUM} of {NUM} pictures",
    ]
    few = printed("generate", "a square", "--model", weights, "--steps", 2, "--out", "few.png")
    assert few.err == ""


def test_an_interruption_keeps_what_is_drawn(folder, weights, tmp_path, monkeypatch, capsys):
    steps, calls = Model.steps, []

    def interrupted(self, settings):
        calls.append(len(settings))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return steps(self, settings)

    out = tmp_path / "out"
    out.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(Model, "steps", interrupted)
        patch.setattr(sys, "argv", ["imagespace", *map(str, words(weights, "--out", out))])
        with pytest.raises(SystemExit) as left:
            main()
    assert left.value.code == 130
    kept = {path.name: path.read_bytes() for path in out.iterdir()}
    assert sorted(kept) == [f"a-square-{number:03d}.png" for number in range(LARGEST_BATCH)]
    assert all((folder / name).read_bytes() == data for name, data in kept.items())
    said = f"interrupted; {LARGEST_BATCH} of {NUM} pictures are in {out}"
    assert said in capsys.readouterr().err
    # The same command again writes beside them.
    monkeypatch.setattr(sys, "argv", ["imagespace", *map(str, words(weights, "--out", out))])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    assert {name: (out / name).read_bytes() for name in kept} == kept
    assert len(list(out.glob("a-square-2-*.png"))) == NUM


def test_a_model_that_is_elsewhere_is_asked_for(weights, printed, refusal, tmp_path):
    """The PNG knows it by a relative path."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.safetensors").write_bytes(weights.read_bytes())
    printed("generate", "a square", "--model", "run", "--num", 1, "--steps", 2, "--out", "a.png")
    (tmp_path / "run").rename(tmp_path / "moved")
    told = refusal("generate", "--from", "a.png", "--out", "b.png")
    assert "a.png: was drawn by the model 'run', which from here is neither" in told
    assert "Name the model with --model" in told
    assert not (tmp_path / "b.png").exists()
    printed("generate", "--from", "a.png", "--model", "moved", "--out", "b.png")
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "a.png").read_bytes()
