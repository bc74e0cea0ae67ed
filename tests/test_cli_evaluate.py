"""`imagespace evaluate` as people run it: real processes, a real report, clear refusals."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command import ENVIRONMENT, run
from PIL import Image

from imagespace.cli.evaluate import _names, _space_at_hand
from imagespace.evaluation import space_training
from imagespace.evaluation.image_text_space import ImageTextNetwork, ImageTextSpace, save_space
from imagespace.evaluation.space_training import learn_space
from imagespace.evaluation.subject import Subject
from imagespace.pictures.folder import read_folder
from imagespace.text.vectors import load_text_encoder
from imagespace.training.loop import train
from imagespace.training.picture_data import PictureData


@pytest.fixture(scope="module")
def place(shapes_folder, tiny_run, tmp_path_factory):
    """A home folder whose cache holds the shapes' space, and a trained run."""
    folder = tmp_path_factory.mktemp("evaluate")
    pictures, encoder = read_folder(shapes_folder, 16, 1), load_text_encoder()
    keep_space(folder, pictures, encoder)
    for _ in train(tiny_run, PictureData(tiny_run, pictures, encoder), folder / "run"):
        pass
    return folder


def keep_space(home, pictures, encoder):
    """A space that is hardly learnt, where `imagespace evaluate` looks for one."""
    spaces = home / ".cache" / "imagespace" / "spaces"
    spaces.mkdir(parents=True, exist_ok=True)
    space = learn_space(pictures, encoder, num_steps=2)
    save_space(spaces / f"{pictures.key}-{encoder.fingerprint}.safetensors", space)


def test_folders_have_the_ends_of_their_paths_that_tell_them_apart():
    assert _names([Path("/x/run")]) == ["run"]
    assert _names([Path("/x/a/run"), Path("/x/b/run"), Path("glyphs")]) == [
        "a-run",
        "b-run",
        "glyphs",
    ]
    assert _names([Path("/b/run"), Path("/a/b/run")]) == ["b-run", "a-b-run"]
    assert _names([Path("/a/run"), Path("/a/run")]) == ["a-run-1", "a-run-2"]


def test_a_space_is_learnt_only_for_a_report_that_had_none(
    shapes_folder, tiny_model, tmp_path, monkeypatch
):
    monkeypatch.setattr(space_training, "CACHE", tmp_path / "spaces")

    def unlearnt(pictures, encoder, progress):
        network = ImageTextNetwork(1, encoder.width)
        return ImageTextSpace(network, encoder, 1, pictures.key, "")

    monkeypatch.setattr(space_training, "learn_space", unlearnt)
    subject = Subject(tiny_model, read_folder(shapes_folder, 16, 1), 8, 0)
    with_one, without = {"judges": {"image-text": "aa"}}, {"judges": {"random": "1-0"}}
    assert _space_at_hand(subject, with_one) is None
    assert not (tmp_path / "spaces").exists()
    learnt = _space_at_hand(subject, without)
    assert learnt.fingerprint == _space_at_hand(subject, with_one).fingerprint
    # One that is damaged is none, and stays: its note says to delete it.
    (file,) = (tmp_path / "spaces").iterdir()
    file.write_bytes(b"damaged")
    assert _space_at_hand(subject, without) is None
    assert file.read_bytes() == b"damaged"


def evaluate(place, *arguments):
    return run("evaluate", *arguments, cwd=place, env=ENVIRONMENT | {"HOME": str(place)})


def test_a_run_is_measured_and_what_cannot_be_is_said(place, shapes_folder):
    done = evaluate(place, "run", "--data", shapes_folder, "--num", "16")
    assert done.returncode == 0, done.stderr
    report = json.loads((place / "run" / "evaluation" / "report.json").read_text())
    assert report["num_samples"] == report["num_real"] == 8
    assert "8 samples instead of 16: one for each unseen caption" in report["notes"]
    # Four captions cannot be ranked among a hundred, and the report says so.
    assert "retrieval" not in report["prompt_following"]
    assert any(
        note.startswith("retrieval:") and "4 different captions" in note for note in report["notes"]
    )
    assert set(report["newness"]["loss"]["unseen"]) == {f"t={t}" for t in (0.1, 0.3, 0.5, 0.7, 0.9)}
    page = (place / "run" / "evaluation" / "report.html").read_text()
    assert "data:image/png;base64" in page
    again = evaluate(place, "run", "--data", shapes_folder, "--num", "16")
    assert "measured before" in again.stdout
    assert [line for line in again.stdout.splitlines() if line.startswith("note: ")] == [
        f"note: {note}" for note in report["notes"]
    ]
    other = evaluate(place, "run", "--data", shapes_folder, "--num", "16", "--seed", "1")
    assert other.returncode == 2
    assert "--overwrite" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--num", "3"], "--num 3: must be from 16"),
        (["run", "--curves", "mood"], "--curves mood: there is no such curve"),
        (["run", "run"], "names a model twice"),
        (["run", "./run"], "names a model twice"),
        (["run", "--num", "16"], "Name the folder that it was trained on with --data"),
        (["nothing", "--num", "16"], "is neither a shipped model nor a run folder"),
        (["run", "--data", "nowhere", "--num", "16"], "nowhere: there is no such folder"),
    ],
)
def test_mistakes_are_one_clear_line(place, arguments, said):
    done = evaluate(place, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (place / "nothing-evaluation").exists()


def test_a_page_of_someone_else_is_not_replaced(place, shapes_folder):
    (place / "site").mkdir()
    (place / "site" / "report.html").write_text("mine")
    done = evaluate(place, "run", "--data", shapes_folder, "--num", "16", "--out", "site")
    assert done.returncode == 2
    assert "without a report.json of ours" in done.stderr
    assert (place / "site" / "report.html").read_text() == "mine"


def test_two_models_stand_side_by_side_each_in_its_folder(place, shapes_folder):
    for name in ("a", "b"):
        shutil.copytree(place / "run", place / name / "run", ignore=lambda *_: ["evaluation"])
    arguments = ("--data", shapes_folder, "--num", "16", "--out", "cmp")
    done = evaluate(place, "a/run", "b/run", *arguments, "--curves", "training")
    assert done.returncode == 0, done.stderr
    for name in ("a", "b"):
        report = json.loads((place / "cmp" / f"{name}-run" / "report.json").read_text())
        assert report["model"]["source"] == f"{name}/run"
        assert [point["at"] for point in report["curves"]["training"]] == [0, 80, 160]
    page = (place / "cmp" / "comparison.html").read_text()
    assert "a/run and b/run are the same weights" in page
    # Another curve joins the first; nothing else is measured again.
    out = place / "cmp" / "a-run"
    before = json.loads((out / "report.json").read_text())
    one = ("a/run", "--data", shapes_folder, "--num", "16", "--out", out)
    done = evaluate(place, *one, "--curves", "guidance")
    assert done.returncode == 0, done.stderr
    after = json.loads((out / "report.json").read_text())
    assert after["curves"]["training"] == before["curves"]["training"]
    assert len(after["curves"]["guidance"]) == 7
    assert after["newness"] == before["newness"]
    assert "training,guidance" in after["command"]
    assert "bits per dimension" in (out / "report.html").read_text()
    assert (out / "sheets" / "replay.png").is_file()
    assert "likelihood" not in done.stdout
    # But --overwrite draws and measures anew, and samples of another report there go.
    (samples,) = out.glob("samples-*.npy")
    shutil.copy(samples, out / "samples-0123456789abcdef.npy")
    done = evaluate(place, *one, "--overwrite")
    assert "measured before" not in done.stdout
    assert "drawing 8 samples" in done.stdout
    assert "likelihood" in done.stdout
    assert list(out.glob("samples-*.npy")) == [samples]


@pytest.mark.slow
def test_two_sizes_of_one_folder_are_compared_as_far_as_that_goes(place, shapes_folder, tiny_run):
    """The shapes are no glyphs: of them nothing can be, which is said before they are drawn."""
    network = tiny_run.model.network.model_copy(update={"image_size_px": 32, "patch_size_px": 8})
    larger = tiny_run.model_copy(
        update={"model": tiny_run.model.model_copy(update={"network": network})}
    )
    pictures, encoder = read_folder(shapes_folder, 32, 1), load_text_encoder()
    keep_space(place, pictures, encoder)
    for _ in train(larger, PictureData(larger, pictures, encoder), place / "run32"):
        pass
    arguments = ("--data", shapes_folder, "--num", "16", "--out", "sizes")
    done = evaluate(place, "run", "run32", *arguments)
    assert done.returncode == 0, done.stderr
    said = "run draws 16 x 16 px in grey, fit pad; run32 draws 32 x 32 px in grey, fit pad"
    assert done.stdout.startswith(f"note: {said}: quality, newness and what")
    assert "Nothing that was measured of them can be compared" in done.stdout
    assert said in (place / "sizes" / "comparison.html").read_text()
    for name in ("run", "run32"):
        assert (place / "sizes" / name / "report.html").is_file()


def test_few_odd_pictures_have_a_report_with_notes(place):
    """Five coloured pictures of another size, one caption without a word, one picture unlisted."""
    folder = place / "odd"
    folder.mkdir()
    random = np.random.default_rng(0)
    rows = []
    for number, text in enumerate(("a cat", "a dog", "a hen", "???", "a cow")):
        pixels = random.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        split = "held_out" if number > 2 else "train"
        rows.append({"file_name": f"{number}.png", "text": text, "split": split})
    Image.fromarray(pixels).save(folder / "unlisted.png")
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = evaluate(place, "run", "--data", folder, "--num", "16", "--out", "odd-report")
    assert done.returncode == 0, done.stderr
    notes = json.loads((place / "odd-report" / "report.json").read_text())["notes"]
    for said in (
        "image-text features: 3 training pictures: an image-text space is learnt from at least 32",
        "1 file left out: imagespace pictures check",
        "the model was trained on pictures with the key",
        "are not of 16 x 16 px",
        "have colour, and the model draws grey",
        "1 unseen pictures have no caption that can be read",
        "1 samples instead of 16",
    ):
        assert any(said in note for note in notes), said
        assert said in done.stdout
