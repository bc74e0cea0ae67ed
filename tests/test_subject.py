"""What is measured is what is said: unseen pictures, their captions, planted copies."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from imagespace.diffusion.likelihood import BITS_OF_A_GREY_LEVEL
from imagespace.errors import UserError
from imagespace.evaluation import subject as subject_module
from imagespace.evaluation.copies import same_distance
from imagespace.evaluation.newness import copies_in_features, likelihoods, losses
from imagespace.evaluation.quality import blurred, uniform_noise
from imagespace.evaluation.subject import Subject, pictures_of
from imagespace.networks.build import build_network
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import Model, PromptWarning, from_pixels


@pytest.fixture(scope="module")
def subject(shapes_folder, tiny_model):
    return Subject(tiny_model, read_folder(shapes_folder, 16, 1), num=12, seed=5)


def test_samples_are_asked_for_by_captions_of_unseen_pictures(subject):
    splits = subject.pictures.splits
    assert set(splits[subject.unseen]) == {"validation"}
    assert set(splits[subject.training]) == {"train"}
    assert len(subject.training) == len(subject.unseen) == 8
    settings = subject.settings()
    assert [s.prompt for s in settings] == [
        subject.pictures.captions[row] for row in subject.sample_rows
    ]
    # Eight unseen pictures, eight samples: two of one prompt would be like each other.
    assert [s.seed for s in settings] == list(range(5, 13))
    assert subject.sample_rows.tolist() == subject.unseen.tolist()
    assert subject.notes[0] == "8 samples instead of 12: one for each unseen caption"
    other = Subject(subject.model, subject.pictures, num=12, seed=6)
    assert other.unseen.tolist() != subject.unseen.tolist()


def test_captions_are_asked_for_as_they_are(subject):
    """Warnings are errors here: a line for each caption with a rare word would drown the rest."""
    rows = subject.sample_rows
    captions = list(subject.pictures.captions)
    captions[rows[0]] = "a Schmetterling 鱼 " + "and a square " * 9
    odd = replace(subject, pictures=replace(subject.pictures, captions=captions))
    assert captions[rows[0]] in [s.prompt for s in odd.settings()]
    with pytest.warns(PromptWarning):
        odd.settings_for([captions[rows[0]]])


def test_samples_are_the_models_own_pictures(subject):
    settings = subject.settings()
    assert np.array_equal(subject.draw(settings), subject.model.draw(settings).pixels)
    faster = Subject(subject.model, subject.pictures, 12, 5, torch.bfloat16).draw(settings)
    difference = np.abs(faster.astype(int) - subject.draw(settings).astype(int))
    assert difference.max() > 0
    assert difference.mean() < 5


class Compiled(torch.nn.Module):
    """In the place of what torch.compile returns: notes the batches that it is given."""

    def __init__(self, network, fails=False):
        super().__init__()
        self.network, self.fails, self.sizes = network, fails, []

    def forward(self, x_t, t, text):
        self.sizes.append(len(x_t))
        if self.fails:
            raise RuntimeError("no Python.h")
        return self.network(x_t, t, text)


@pytest.mark.parametrize("fails", [False, True])
def test_whole_batches_of_many_samples_are_drawn_compiled_where_that_can_be(
    subject, monkeypatch, fails
):
    made = []

    def compile_(network):
        made.append(Compiled(network, fails))
        return made[-1]

    monkeypatch.setattr(torch, "compile", compile_)
    monkeypatch.setattr(subject_module, "has_compiler", lambda device: True)
    monkeypatch.setattr(subject_module, "LARGEST_BATCH", 3)
    settings = subject.settings()
    plain = replace(subject).draw(settings)
    assert not made  # eight samples are not many
    monkeypatch.setattr(subject_module, "FEWEST_COMPILED", 8)
    assert np.array_equal(replace(subject).draw(settings), plain)
    (compiled,) = made
    assert set(compiled.sizes) == {3}  # not the two that are left over
    assert (len(compiled.sizes) == 1) == fails


def test_a_walk_ends_in_the_picture_and_leaves_the_arithmetic_as_it_was(subject):
    faster = replace(subject, dtype=torch.bfloat16)
    settings = faster.settings()[:2]
    steps = []
    for step in faster.steps(settings):
        assert not torch.is_autocast_enabled("cpu")
        steps.append(step)
    drawn = from_pixels(faster.draw(settings))
    torch.testing.assert_close(
        steps[-1].x_next.clamp(-1, 1).float(), drawn, rtol=0, atol=1.01 / 255
    )


def test_loss_is_that_of_the_answer(subject):
    """A model that answers zero everywhere errs by the mean square of the pictures."""
    network = build_network(subject.model.config.network)  # answers zero
    model = Model(subject.model.config, network, subject.model.encoder, "", "zero")
    found = losses(Subject(model, subject.pictures, 12, 5))["unseen"]
    pixels = subject.pixels(subject.unseen).astype(float) / 127.5 - 1
    square = (pixels**2).mean(axis=(1, 2, 3))
    assert found["t=0.1"]["value"] == pytest.approx(square[0::5].mean(), rel=1e-4)
    assert found["t=0.9"]["value"] == pytest.approx(square[4::5].mean(), rel=1e-4)


def test_bits_are_near_those_of_a_fine_walk(subject):
    """Of as many pictures as there are up to fifty, and nearer than half of the steps come."""
    many = Subject(subject.model, with_many_unseen(subject.pictures), 200, 5)
    found = likelihoods(many)
    assert found["train"]["num"] == found["unseen"]["num"] == 40
    x_0 = from_pixels(many.pixels(many.unseen))

    def bits(num_steps):
        walk = many.model.likelihood(x_0, seed=5, num_steps=num_steps, num_probes=1)
        return float(walk.bits_per_dimension(BITS_OF_A_GREY_LEVEL)[0].mean())

    fine = bits(48)
    assert abs(found["unseen"]["value"] - fine) < abs(bits(8) - fine) / 2
    assert found["unseen"]["value"] == pytest.approx(fine, rel=0.01)


def with_many_unseen(pictures):
    splits = np.array(["train", "held_out"] * (len(pictures) // 2))
    return replace(pictures, splits=splits)


def test_planted_copies_are_found_in_features():
    random = np.random.default_rng(0)
    training = random.normal(size=(300, 16)).astype(np.float32)
    unseen, samples = random.normal(size=(2, 100, 16)).astype(np.float32)
    samples[:7] = training[:7] + 0.01 * samples[:7]
    # A second training picture beside the copied one must not hide the copy.
    training[200] = training[0] + 1e-3
    found = copies_in_features(samples, unseen, training)
    assert found["copies"]["samples"]["value"] == pytest.approx(0.07)
    assert found["copies"]["real"]["value"] == 0


def test_copies_of_a_set_whose_pictures_stand_twice_are_found():
    """As with two captions each: most nearest others are equal, and unseen ones may be too."""
    random = np.random.default_rng(0)
    base = random.normal(size=(100, 16)).astype(np.float32)
    unseen = np.concatenate([base[:60], random.normal(size=(40, 16)).astype(np.float32)])
    found = copies_in_features(base[:50], unseen, np.concatenate([base, base]))
    assert found["copies"]["samples"]["value"] == 1
    assert found["nearest_ratio"]["samples"]["value"] == 0
    assert found["copies"]["real"]["value"] == pytest.approx(0.6)


def test_one_picture_is_what_is_nearer_than_a_third_of_the_nearest_other():
    random = torch.Generator().manual_seed(0)
    points = torch.randn(200, 5, generator=random)
    apart = torch.cdist(points, points).fill_diagonal_(torch.inf)
    expected = float(apart.min(dim=1).values.median()) / 3
    assert same_distance(points) == pytest.approx(expected, rel=1e-2)
    assert same_distance(torch.cat([points, points])) == pytest.approx(expected, rel=0.05)
    # Where all are equal, more than rounding remains.
    assert 0 < same_distance(points[:1].repeat(9, 1)) < 0.01


def test_a_blur_keeps_the_mean_and_takes_the_edges():
    noise = uniform_noise((3, 128, 128, 1), seed=1)
    soft = blurred(noise)
    assert soft.shape == noise.shape
    assert soft.mean() == pytest.approx(noise.mean(), abs=1)
    # White noise of variance v under a Gaussian of radius 2 px keeps v / (4 pi 2^2).
    assert soft.var() == pytest.approx(noise.var() / (16 * np.pi), rel=0.15)
    flat = np.full((1, 128, 128, 3), 200, np.uint8)
    assert np.array_equal(blurred(flat), flat)


def test_a_model_of_other_pictures_needs_its_folder(subject):
    with pytest.raises(UserError, match="--data"):
        pictures_of(subject.model)
