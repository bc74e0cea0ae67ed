"""A report is complete while it has what every judge at hand says now."""

from dataclasses import replace

import numpy as np
import pytest

from imagespace.errors import UserError
from imagespace.evaluation import imagenet_features, legibility
from imagespace.evaluation.evaluate import Evaluation
from imagespace.evaluation.judges import is_complete, judges_at_hand, lacking_curves
from imagespace.evaluation.radical_judge import WEIGHTS_PATH, sha256_of
from imagespace.evaluation.subject import Subject
from imagespace.pictures.folder import read_folder

RANDOM = {"judge": "random", "fingerprint": "1-0"}


@pytest.fixture(scope="module")
def subject(shapes_folder, tiny_model):
    return Subject(tiny_model, read_folder(shapes_folder, 16, 1), num=12, seed=0)


@pytest.fixture
def without_imagenet(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(imagenet_features, "MODULE", "a_package_that_nobody_has")
        yield patch


def evaluation(subject, folder, **options):
    return Evaluation(subject, None, folder, lambda _: None, cache=folder / "cache", **options)


def test_what_is_not_installed_is_not_at_hand(subject, without_imagenet):
    at_hand = judges_at_hand(subject, None)
    assert at_hand == {"random": "1-0"}
    assert is_complete({"judges": at_hand}, at_hand, [])
    assert not is_complete({"judges": {"random": "of other filters"}}, at_hand, [])
    without_imagenet.undo()
    now = judges_at_hand(subject, None)
    assert set(now) == {"imagenet", "random"}
    assert not is_complete({"judges": at_hand}, now, [])


def test_glyphs_have_judges_of_their_own(subject, monkeypatch):
    rows = [{**row, "character": "魚", "radical": 195} for row in subject.pictures.metadata]
    glyphs = replace(subject, pictures=replace(subject.pictures, metadata=rows))
    found = judges_at_hand(glyphs, None)
    assert found["radical"] == sha256_of(WEIGHTS_PATH)[:16]
    # The reader's package is installed by hand, and may be absent.
    assert set(found) - {"reader"} == {"imagenet", "random", "radical"}
    monkeypatch.setattr(legibility, "MODULE", "a_package_that_nobody_has")
    assert set(judges_at_hand(glyphs, None)) == {"imagenet", "random", "radical"}


@pytest.mark.slow
def test_a_report_is_completed_by_a_judge_that_was_installed_later(
    subject, tmp_path, without_imagenet, monkeypatch
):
    first = evaluation(subject, tmp_path)
    report = first.run([])
    assert set(report["quality"]) == {"random"}
    assert any("Run: pip install" in note for note in report["notes"])
    assert is_complete(report, judges_at_hand(subject, None), [])
    report["curves"] = {"sampler": [{"at": "ddpm"}], "steps": [{"at": 4}]}
    other = RANDOM | {"fingerprint": "of other filters"}
    report["curve_judges"] = {
        "sampler": {"kernel_distance": RANDOM},
        "steps": {"kernel_distance": other},
    }
    report["notes"] += ["curve of sampler: kept", "curve of steps: gone"]

    without_imagenet.undo()
    assert not is_complete(report, judges_at_hand(subject, None), [])
    drawn = []
    draw = Subject.draw

    def counted(self, settings, progress=None):
        drawn.append(len(settings))
        return draw(self, settings, progress)

    monkeypatch.setattr(Subject, "draw", counted)
    whole = evaluation(subject, tmp_path).complete(report, [])
    assert set(whole["quality"]) == {"imagenet", "random"}
    assert whole["judges"] == judges_at_hand(subject, None)
    assert not any("pip install" in note for note in whole["notes"])
    assert whole["quality"]["random"] == report["quality"]["random"]
    # The samples are those of before; only the curve of another judge is drawn again.
    assert drawn == [8] * 8
    assert whole["curves"]["sampler"] == [{"at": "ddpm"}]
    assert len(whole["curves"]["steps"]) == 8
    assert whole["curve_judges"]["steps"]["kernel_distance"]["judge"] == "imagenet"
    assert whole["curve_judges"]["sampler"] == {"kernel_distance": RANDOM}
    assert "curve of sampler: kept" in whole["notes"]
    assert "curve of steps: gone" not in whole["notes"]
    assert is_complete(whole, judges_at_hand(subject, None), ["steps"])


def test_a_report_by_judges_of_two_places_is_refused(subject, tmp_path):
    report = {"judges": {"random": "1-0", "reader": "cc"}}
    # What cannot be had here contradicts nothing ...
    at_hand = judges_at_hand(subject, None)
    assert is_complete(report | {"judges": at_hand | {"reader": "cc"}}, at_hand, [])
    # ... but would be lost where all is measured anew.
    with pytest.raises(UserError, match="without imagenet as at hand here, and with reader") as no:
        evaluation(subject, tmp_path).complete(report, [])
    assert "--overwrite" in str(no.value)
    assert not list(tmp_path.glob("samples-*"))


def test_curves_are_measured_where_they_are_absent_or_another_judges():
    def by(fingerprint):
        return {"kernel_distance": {"judge": "image-text", "fingerprint": fingerprint}}

    report = {
        "curves": {"steps": [], "sampler": [], "guidance": []},
        "curve_judges": {"steps": by("old"), "sampler": by("now")},
    }
    assert lacking_curves(report, {"image-text": "now"}, ["interval", "sampler"]) == [
        "steps",
        "guidance",
        "interval",
    ]
    assert lacking_curves(report, {}, []) == ["guidance"]


def test_samples_are_drawn_anew_where_that_is_asked_and_old_ones_go(subject, tmp_path):
    samples = evaluation(subject, tmp_path)._samples()
    (file,) = tmp_path.glob("samples-*.npy")
    np.save(file, np.zeros_like(samples))
    again = evaluation(subject, tmp_path)
    assert not again._samples().any()
    anew = evaluation(subject, tmp_path, anew=True)
    assert np.array_equal(anew._samples(), samples)
    assert np.array_equal(np.load(file), samples)
    other = evaluation(replace(subject, seed=1), tmp_path)
    other._samples()
    (tmp_path / "samples-of-mine.npy").write_bytes(b"mine")
    (tmp_path / "report.json").write_text("{}")
    assert len(list(tmp_path.glob("samples-*.npy"))) == 3
    other.remove_other_samples()
    assert {path.name for path in tmp_path.iterdir()} == {
        other.samples_file.name,
        "samples-of-mine.npy",
        "report.json",
    }
    # An evaluation that drew none removes none.
    evaluation(subject, tmp_path).remove_other_samples()
    assert other.samples_file.is_file()
