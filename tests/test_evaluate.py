"""What can be measured is measured, whatever is missing beside it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from imagespace.errors import UserError
from imagespace.evaluation.evaluate import Evaluation
from imagespace.evaluation.report_header import header, is_of
from imagespace.evaluation.subject import Subject
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import Model


@pytest.fixture(scope="module")
def subject(shapes_folder, tiny_model):
    return Subject(tiny_model, read_folder(shapes_folder, 16, 1), num=12, seed=0)


def evaluation(subject, folder):
    said: list[str] = []
    return Evaluation(subject, None, folder, said.append, cache=folder / "cache", notes=["first"])


def with_splits(subject, num_unseen):
    splits = np.array(["train"] * len(subject.pictures), dtype="<U10")
    splits[len(splits) - num_unseen :] = "held_out"
    key = f"unseen-{num_unseen}"
    return replace(subject, pictures=replace(subject.pictures, splits=splits, key=key))


def test_without_unseen_pictures_copies_are_sought_all_the_same(subject, tmp_path):
    measure = evaluation(with_splits(subject, 0), tmp_path)
    report = measure.run([])
    assert list(report["newness"]["copies"]["pixels"]) == ["samples"]
    assert list(report["newness"]["loss"]) == ["train"]
    assert list(report["newness"]["bits_per_dimension"]) == ["train"]
    assert {"samples", "nearest"} <= set(measure.images)
    assert report["num_samples"] == 12
    assert report["num_real"] == 0
    assert report["notes"][0] == "first"
    assert any("no held-out pictures" in note for note in report["notes"])
    assert any("every prompt is a caption that training read" in note for note in report["notes"])


def test_four_unseen_pictures_have_a_kernel_distance(subject, tmp_path):
    report = evaluation(with_splits(subject, 4), tmp_path).run(["steps"])
    assert set(report["quality"]["random"]["samples"]) == {"kernel_distance", "frechet_distance"}
    assert set(report["quality"]["random"]) == {"samples", "real", "blurred", "noise"}
    # A curve has what there is, and says what there is not.
    assert all("kernel_distance" in point for point in report["curves"]["steps"])
    assert not any("follows" in point for point in report["curves"]["steps"])
    assert report["curve_judges"]["steps"]["follows"]["figure"] == "coverage"
    (note,) = [note for note in report["notes"] if note.startswith("curve of steps")]
    assert "coverage needs 6" in note
    assert report["judges"]["random"] == "1-0"


def test_pictures_without_captions_are_judged_for_a_model_of_prompts(subject, tmp_path):
    blank = replace(subject.pictures, captions=[""] * len(subject.pictures), key="blank")
    measure = evaluation(replace(subject, pictures=blank), tmp_path)
    report = measure.run([])
    assert report["num_samples"] == 12
    assert "kernel_distance" in report["quality"]["random"]["samples"]
    with_guidance = measure.add_curves(report, ["guidance", "steps"])
    assert set(with_guidance["curves"]) == {"steps"}
    assert any("no captions to guide by" in note for note in with_guidance["notes"])


def test_later_curves_join_earlier_ones(subject, tmp_path):
    by_another = {"kernel_distance": {"judge": "image-text", "fingerprint": "aa"}}
    stored = header(subject) | {
        "curves": {"sampler": [{"at": "ddpm"}]},
        "curve_judges": {"sampler": by_another},
        "seconds": {"likelihood": 9.0},
        "judges": {"reader": "cc"},
        "notes": ["earlier"],
        "newness": {"kept": 1},
    }
    measure = evaluation(subject, tmp_path)
    report = measure.add_curves(stored, ["steps"])
    assert report["curves"]["sampler"] == [{"at": "ddpm"}]
    assert len(report["curves"]["steps"]) == 8
    # Four captions cannot be ranked among a hundred: the curve follows coverage instead.
    assert all("value" in point["follows"] for point in report["curves"]["steps"])
    assert report["seconds"]["likelihood"] == 9
    # What measured the later curve is said of it alone.
    assert report["judges"] == {"reader": "cc"}
    assert report["curve_judges"]["sampler"] == by_another
    (extractor, *_) = measure._extractors()
    assert report["curve_judges"]["steps"] == {
        "kernel_distance": {"judge": extractor.name, "fingerprint": extractor.fingerprint},
        "follows": {"figure": "coverage", "judge": "random", "fingerprint": "1-0"},
    }
    assert report["notes"][:2] == ["earlier", "first"]
    assert report["newness"] == {"kept": 1}


def test_a_report_is_current_for_these_weights_pictures_and_sampling_alone(subject):
    report = header(subject)
    assert is_of(report, subject)
    config = subject.model.config
    slower = config.model_copy(
        update={"sampling": config.sampling.model_copy(update={"num_steps": 9})}
    )
    other = Model(slower, subject.model.network, subject.model.encoder, "0123", "tiny")
    assert not is_of(report, replace(subject, model=other))
    assert not is_of(report, replace(subject, seed=1))
    assert not is_of(report, replace(subject, num=5))
    assert not is_of(report, replace(subject, dtype=torch.bfloat16))
    assert not is_of(report, with_splits(subject, 4))
    assert not is_of(report | {"imagespace": "0.0.9"}, subject)
    assert is_of(report | {"date": "2000-01-01"}, subject)


@pytest.mark.parametrize("label", ["radical", "style"])
def test_a_report_is_not_of_labels_that_were_corrected_since(subject, label):
    def labelled(names):
        rows = [
            {**row, label: name} for row, name in zip(subject.pictures.metadata, names, strict=True)
        ]
        return replace(subject, pictures=replace(subject.pictures, metadata=rows))

    names = ["old", "new"] * 40
    report = header(labelled(names))
    assert is_of(report, labelled(names))
    assert not is_of(report, labelled(["new", *names[1:]]))
    # What is no label is judged by nobody.
    rows = [
        {**row, "comment": str(number)}
        for number, row in enumerate(labelled(names).pictures.metadata)
    ]
    again = labelled(names)
    assert is_of(report, replace(again, pictures=replace(again.pictures, metadata=rows)))


def test_a_truncated_sample_file_is_drawn_again(subject, tmp_path):
    measure = evaluation(subject, tmp_path)
    samples = measure._samples()
    (file,) = tmp_path.glob("samples-*.npy")
    file.write_bytes(file.read_bytes()[:300])
    assert np.array_equal(measure._samples(), samples)
    assert np.array_equal(np.load(file), samples)


def test_no_training_pictures_are_no_traceback(subject, tmp_path):
    splits = np.array(["held_out"] * len(subject.pictures))
    pictures = replace(subject.pictures, splits=splits, key="none")
    report = evaluation(replace(subject, pictures=pictures), tmp_path).run([])
    assert list(report["quality"]["random"]) == ["samples", "unseen_halves"]
    assert any("no training pictures" in note for note in report["notes"])
    with pytest.raises(UserError, match="no training pictures"):
        replace(subject, pictures=pictures).training  # noqa: B018
