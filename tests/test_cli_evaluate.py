"""`imagespace evaluate` as people run it: real processes, a real report, clear refusals."""

import json
import os
import subprocess
import sys

import pytest

from imagespace.evaluation.image_text_space import save_space
from imagespace.evaluation.space_training import learn_space
from imagespace.pictures.folder import read_folder
from imagespace.text.vectors import load_text_encoder
from imagespace.training.loop import train
from imagespace.training.picture_data import PictureData


@pytest.fixture(scope="module")
def place(shapes_folder, tiny_run, tmp_path_factory):
    """A home folder whose cache holds the shapes' space, and a trained run."""
    folder = tmp_path_factory.mktemp("evaluate")
    pictures, encoder = read_folder(shapes_folder, 16, 1), load_text_encoder()
    spaces = folder / ".cache" / "imagespace" / "spaces"
    spaces.mkdir(parents=True)
    space = learn_space(pictures, encoder, num_steps=2)
    save_space(spaces / f"{pictures.key}-{encoder.fingerprint}.safetensors", space)
    for _ in train(tiny_run, PictureData(tiny_run, pictures, encoder), folder / "run"):
        pass
    return folder


def evaluate(place, *arguments):
    command = [sys.executable, "-m", "imagespace", "evaluate", *map(str, arguments)]
    path = os.pathsep.join(p for p in sys.path if p)
    environment = os.environ | {"HOME": str(place), "PYTHONPATH": path}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)


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
    other = evaluate(place, "run", "--data", shapes_folder, "--num", "16", "--seed", "1")
    assert other.returncode == 2
    assert "--overwrite" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--num", "3"], "--num 3: must be from 16"),
        (["run", "--curves", "mood"], "--curves mood: there is no such curve"),
        (["run", "run"], "names a model twice"),
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
