"""The image-text space puts pictures beside their captions, and its measures have known answers."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from imagespace.errors import UserError
from imagespace.evaluation.image_text_space import load_space, save_space
from imagespace.evaluation.label_probe import LabelProbe, readable_labels
from imagespace.evaluation.retrieval import retrieval_ranks
from imagespace.evaluation.space_training import (
    cut_short_notes,
    info_nce,
    learn_space,
    space_of,
)
from imagespace.pictures.folder import read_folder
from imagespace.text.vectors import load_text_encoder


@pytest.fixture(scope="module")
def pictures(shapes_folder):
    return read_folder(shapes_folder, 16, 1)


@pytest.fixture(scope="module")
def space(pictures):
    return learn_space(pictures, load_text_encoder(), num_steps=25)


def test_unseen_shapes_lie_nearest_their_captions(space, pictures):
    rows = pictures.indices("validation")
    captions = sorted(set(pictures.captions))
    near = space.embed_pictures(pictures.pixels[rows]) @ space.embed_captions(captions).T
    found = [captions[index] for index in near.argmax(dim=1).tolist()]
    hits = np.mean([a == pictures.captions[row] for a, row in zip(found, rows, strict=True)])
    assert hits >= 0.75  # chance 0.25


def test_a_space_comes_back_from_its_file(space, pictures, tmp_path):
    path = tmp_path / "space.safetensors"
    save_space(path, space)
    again = load_space(path, space.encoder)
    pixels = np.array(pictures.pixels[:4])
    torch.testing.assert_close(
        again.embed_pictures(pixels), space.embed_pictures(pixels), atol=5e-3, rtol=0
    )
    assert again.data_key == pictures.key
    damaged = bytearray(path.read_bytes())
    damaged[-100] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(UserError, match="not a whole image-text space"):
        load_space(path, space.encoder)
    with pytest.raises(UserError, match="channels"):
        again(np.zeros((2, 16, 16, 3), np.uint8))


def test_a_learnt_space_is_found_again(space, pictures, tmp_path):
    path = tmp_path / f"{pictures.key}-{space.encoder.fingerprint}.safetensors"
    save_space(path, space)
    found = space_of(pictures, space.encoder, cache=tmp_path)  # learning anew would take minutes
    assert found.fingerprint == load_space(path, space.encoder).fingerprint


def test_a_space_whose_time_was_over_says_so(pictures, space, tmp_path):
    assert (space.num_steps, space.num_planned) == (25, 25)
    assert cut_short_notes(space) == []
    short = learn_space(pictures, space.encoder, num_steps=10**9, max_minutes=1e-4)
    path = tmp_path / f"{pictures.key}-{space.encoder.fingerprint}.safetensors"
    save_space(path, short)
    kept = space_of(pictures, space.encoder, cache=tmp_path)
    assert kept.num_steps == short.num_steps >= 1
    (note,) = cut_short_notes(kept, tmp_path)
    assert f"learnt in {short.num_steps} of 1000000000 steps" in note
    assert str(path) in note
    # What was kept before steps were counted claims nothing.
    assert cut_short_notes(replace(kept, num_steps=None, num_planned=None)) == []


def test_info_nce_of_orthogonal_pairs():
    # Each row meets its partner (cosine 1) and n - 1 strangers (cosine 0).
    n, scale = 5, 3.0
    vectors = torch.eye(n)
    own = info_nce(vectors, vectors, scale, torch.arange(n))
    assert float(own) == pytest.approx(math.log(1 + (n - 1) * math.exp(-scale)), abs=1e-6)
    # All rows of one name: any answer is right, in equal shares, and the cross-entropy is
    # log(sum of exponentials) minus the mean logit.
    alike = info_nce(vectors, vectors, scale, torch.zeros(n))
    expected = math.log(math.exp(scale) + n - 1) - scale / n
    assert float(alike) == pytest.approx(expected, abs=1e-5)


def test_ranks_of_known_neighbours():
    captions = torch.eye(6)
    names = np.arange(6)
    assert retrieval_ranks(captions, captions, names, 5, seed=0).tolist() == [0] * 6
    # Opposite to its own caption, at a right angle to the others: the last of five.
    assert retrieval_ranks(-captions, captions, names, 5, seed=0).tolist() == [4] * 6
    # Equally near to all: a tie is no hit.
    same = torch.ones(6, 6) / 6**0.5
    assert retrieval_ranks(same, captions, names, 5, seed=0).tolist() == [4] * 6
    with pytest.raises(UserError, match="6 different captions"):
        retrieval_ranks(captions, captions, names, 7, seed=0)


def test_equal_captions_never_compete():
    # Rows 0 and 1 share their words; a space that confuses them alone makes no mistake.
    captions = torch.eye(4)
    captions[1] = captions[0]
    ranks = retrieval_ranks(captions, captions, np.array([0, 0, 1, 2]), 3, seed=0)
    assert ranks.tolist() == [0] * 4


def test_a_probe_reads_what_is_linear_and_nothing_else():
    random = np.random.default_rng(0)
    labels = random.choice(["left", "right", "top"], 600, p=[0.6, 0.2, 0.2])
    shift = {"left": (3, 0), "right": (-3, 0), "top": (0, 3)}
    features = random.normal(size=(600, 8)).astype(np.float32)
    features[:, :2] += [shift[label] for label in labels]
    probe = LabelProbe.fit(features[:400], labels[:400].tolist())
    assert np.mean(probe.predict(features[400:]) == labels[400:]) > 0.9
    assert probe.commonest == "left"
    unrelated = LabelProbe.fit(features[:400], random.permutation(labels[:400]).tolist())
    assert np.mean(unrelated.predict(features[400:]) == labels[400:]) < 0.75
    with pytest.raises(UserError, match="at least two"):
        LabelProbe.fit(features, ["left"] * 600)


def test_only_words_that_repeat_are_labels():
    rows = [
        {"file_name": f"{i}.png", "text": "a cat", "split": "train", "style": "ab"[i % 2]}
        | {"name": f"picture {i}", "width": i % 2, "rare": "x" if i < 3 else "y"}
        for i in range(60)
    ]
    assert readable_labels(rows) == ["style"]
