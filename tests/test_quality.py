"""Groups are compared at equal numbers, and what is kept is of the very pictures asked for."""

from dataclasses import replace

import numpy as np
import pytest

from imagespace.evaluation.distances import frechet_distance, kernel_distance, manifold
from imagespace.evaluation.kept_arrays import kept
from imagespace.evaluation.quality import Extractor, Features, distances, halves_of, quality
from imagespace.evaluation.random_features import RandomFeatures
from imagespace.evaluation.subject import Subject
from imagespace.networks.build import build_network
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import Model
from imagespace.text.vectors import load_text_encoder

PLAIN = RandomFeatures(1)
EXTRACTOR = Extractor("random", PLAIN.fingerprint, PLAIN)


@pytest.fixture(scope="module")
def subject(shapes_folder, tiny_run):
    network = build_network(tiny_run.model.network)
    model = Model(tiny_run.model, network, load_text_encoder(), "", "tiny")
    return Subject(model, read_folder(shapes_folder, 16, 1), num=40, seed=0)


def without_text(subject):
    """The same pictures for a model that reads no captions, so that it draws all 40."""
    model = Model(subject.model.config, subject.model.network, None, "", "tiny")
    return replace(subject, model=model)


def test_biased_measures_are_of_as_many_samples_as_the_floor(subject, tmp_path):
    subject = without_text(subject)
    assert (subject.num_samples, len(subject.unseen)) == (40, 8)
    samples = PLAIN(subject.pixels(subject.pictures.indices("train")[:40]))
    unseen = PLAIN(subject.pixels(subject.unseen))
    report, notes = quality(Features(subject, tmp_path), EXTRACTOR, samples)
    own = report["samples"]
    assert own["frechet_distance"]["value"] == frechet_distance(samples[:8], unseen).value
    assert own["coverage"]["value"] == manifold(samples[:8], unseen).coverage.value
    # The unbiased one loses nothing.
    assert own["kernel_distance"]["value"] == kernel_distance(samples, unseen).value
    # Pictures that no feature network learnt from, in both sets.
    halves = report["unseen_halves"]
    assert set(halves) == {"kernel_distance"}
    first, second = halves_of(unseen, subject.seed)
    assert sorted(map(tuple, [*first, *second])) == sorted(map(tuple, unseen))
    assert halves["kernel_distance"]["value"] == kernel_distance(first, second).value
    assert notes == []


def test_a_sample_is_not_compared_with_the_picture_of_its_prompt(subject, tmp_path):
    """A faithful model: of samples that are the unseen pictures themselves the distance is 0."""
    unseen = PLAIN(subject.pixels(subject.unseen))
    report, _ = quality(Features(subject, tmp_path), EXTRACTOR, unseen)
    assert report["samples"]["kernel_distance"]["value"] == pytest.approx(0, abs=1e-12)
    assert kernel_distance(unseen, unseen).value < 0
    # The floor is of pictures that have nothing to do with the unseen ones in their places.
    floor = PLAIN(subject.pixels(subject.training))
    expected = kernel_distance(floor, unseen).value
    assert report["real"]["kernel_distance"]["value"] == pytest.approx(expected, rel=1e-9)


def test_a_perfect_model_stands_at_the_floor():
    """Samples and floor of one distribution: the Fréchet distances agree though N differs."""
    gaps = []
    for seed in range(4):
        random = np.random.default_rng(seed)
        unseen, floor, samples = (
            random.normal(size=(num, 16)).astype(np.float32) for num in (40, 40, 800)
        )
        values = [
            distances(f, unseen, 40)[0]["frechet_distance"]["value"] for f in (samples, floor)
        ]
        gaps.append(values[0] / values[1])
    assert np.mean(gaps) == pytest.approx(1, abs=0.15)


def test_few_unseen_pictures_have_the_measures_that_they_suffice_for():
    random = np.random.default_rng(0)
    found, refused = distances(*random.normal(size=(2, 4, 8)), num=4)
    assert set(found) == {"kernel_distance", "frechet_distance"}
    assert len(refused) == 1
    assert "coverage needs 6" in refused[0]


def test_features_are_kept_by_the_rows_they_are_of(subject, shapes_folder, tmp_path):
    features = Features(subject, tmp_path)
    first = features.real(EXTRACTOR, "unseen")
    # The same pictures, number and seed, but other rows: those of another split.
    other = replace(subject, pictures=replace(subject.pictures, splits=subject.pictures.splits))
    other.__dict__["_unseen_rows"] = subject.pictures.indices("train")[:5]
    found = Features(other, tmp_path).real(EXTRACTOR, "unseen")
    assert np.array_equal(found, PLAIN(other.pixels(other.unseen)))
    assert len(found) == 5
    assert np.array_equal(features.real(EXTRACTOR, "unseen"), first)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_truncated_file_is_computed_again(tmp_path):
    path = tmp_path / "folder" / "array.npy"
    computed = []

    def compute():
        computed.append(1)
        return np.arange(1000)

    for content in (None, "whole", 200, 3, 0):
        if isinstance(content, int):
            path.write_bytes(path.read_bytes()[:content])
        assert np.array_equal(kept(path, compute), np.arange(1000))
    assert len(computed) == 4
    assert [file.name for file in path.parent.iterdir()] == ["array.npy"]


def test_what_cannot_be_kept_is_returned_and_leaves_no_part(tmp_path, monkeypatch):
    def full(file, array):
        file.write(b"part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    assert kept(tmp_path / "array.npy", lambda: np.arange(3)).tolist() == [0, 1, 2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("side", [4, 8, 12])
def test_small_pictures_have_features_too(side):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (6, side, side, 1), dtype=np.uint8)
    found = PLAIN(pixels)
    assert found.shape == (6, 832)
    apart = np.linalg.norm(found[:, None] - found[None], axis=2)
    assert apart[~np.eye(6, dtype=bool)].min() > 0.1
