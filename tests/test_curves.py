"""A curve's points are what its settings give, one change at a time."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

import imagespace
from imagespace.errors import UserError
from imagespace.evaluation.curves import GUIDANCES, STEPS, curve
from imagespace.evaluation.distances import kernel_distance
from imagespace.evaluation.measured import share
from imagespace.evaluation.quality import Extractor, Features
from imagespace.evaluation.random_features import RandomFeatures
from imagespace.evaluation.subject import Subject
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import Model
from imagespace.text.vectors import load_text_encoder
from imagespace.training.loop import train
from imagespace.training.picture_data import PictureData

PLAIN = RandomFeatures(1)
EXTRACTOR = Extractor("random", PLAIN.fingerprint, PLAIN)


@pytest.fixture(scope="module")
def subject(shapes_folder, tiny_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("curves")
    pictures = read_folder(shapes_folder, 16, 1)
    for _ in train(tiny_run, PictureData(tiny_run, pictures, load_text_encoder()), folder / "run"):
        pass
    return Subject(imagespace.load(folder / "run"), pictures, num=8, seed=0)


def measured(name, subject, cache):
    dark = lambda samples: share(samples.mean(axis=(1, 2, 3)) < 128)  # noqa: E731
    said: list[str] = []
    points, notes = curve(name, subject, Features(subject, cache), EXTRACTOR, dark, said.append)
    assert len(said) == len(points)
    assert notes == []
    return points


def test_points_are_the_settings_own_samples(subject, tmp_path):
    points = measured("steps", subject, tmp_path)
    assert [point["at"] for point in points] == list(STEPS)
    samples = subject.draw(subject.settings(num_steps=STEPS[1]))
    real = PLAIN(subject.pixels(subject.unseen))
    assert points[1]["kernel_distance"] == asdict(kernel_distance(PLAIN(samples), real, 8))
    assert points[1]["follows"]["value"] == np.mean(samples.mean(axis=(1, 2, 3)) < 128)


def test_the_interval_of_guidance_is_the_one_that_is_drawn_with(subject, tmp_path):
    points = measured("interval", subject, tmp_path)
    own = "{:g} to {:g}".format(*subject.model.config.sampling.guidance_interval)
    by_interval = {point["at"]: point["kernel_distance"]["value"] for point in points}
    real = PLAIN(subject.pixels(subject.unseen))
    drawn = PLAIN(subject.draw(subject.settings()))
    assert by_interval[own] == kernel_distance(drawn, real, 8).value
    assert by_interval["0.4 to 0.9"] != by_interval[own]


def test_the_replay_goes_from_nothing_to_the_model(subject, tmp_path):
    points = measured("training", subject, tmp_path)
    assert [point["at"] for point in points] == [0, 80, 160]
    logged = (Path(subject.model.source) / "metrics.jsonl").read_text().splitlines()
    clock = {line.get("num_images"): line.get("elapsed_s") for line in map(json.loads, logged)}
    minutes = [point["minutes"] for point in points]
    assert minutes == pytest.approx([clock[0] / 60, clock[80] / 60, clock[160] / 60], abs=6e-4)
    assert minutes[0] < minutes[2]
    final = kernel_distance(
        PLAIN(subject.draw(subject.settings())), PLAIN(subject.pixels(subject.unseen)), 8
    )
    # Kept in half precision: nearly the model's own pictures.
    assert points[-1]["kernel_distance"]["value"] == pytest.approx(final.value, rel=0.02)
    assert points[0]["kernel_distance"]["value"] != pytest.approx(final.value, rel=0.02)


def test_the_models_own_setting_is_among_the_points(subject, tmp_path):
    """Without it nobody could say whether it is as good as the best."""
    model, config = subject.model, subject.model.config
    sampling = config.sampling.model_copy(update={"num_steps": 5, "guidance": 2.5})
    own = config.model_copy(update={"sampling": sampling})
    changed = Model(own, model.network, model.encoder, model.sha256, model.source)
    found = replace(subject, model=changed)
    assert [p["at"] for p in measured("steps", found, tmp_path)] == sorted([*STEPS, 5])
    assert [p["at"] for p in measured("guidance", found, tmp_path)] == sorted([*GUIDANCES, 2.5])


def test_no_curve_without_its_ground(subject, tmp_path):
    with pytest.raises(UserError, match="there is no such curve"):
        measured("mood", subject, tmp_path)
    shipped = Subject(imagespace.load("glyphs"), subject.pictures, 8, 0)
    with pytest.raises(UserError, match="no weights of earlier steps"):
        measured("training", shipped, tmp_path)
