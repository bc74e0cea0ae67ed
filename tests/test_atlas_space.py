"""The space of a map: its coordinates, neighbours, features and scores."""

import dataclasses

import numpy as np
import pytest
from plain_atlas import plain_atlas

from imagespace.atlas.map_scores import purity, trustworthiness
from imagespace.atlas.neighbours import nearest
from imagespace.atlas.space import boxes_a_side, describe_grid, fit_space
from imagespace.errors import UserError


def test_neighbours_are_those_of_all_distances():
    random = np.random.default_rng(0)
    points = random.normal(size=(700, 6)).astype(np.float32)
    queries = random.normal(size=(9, 6)).astype(np.float32)
    queries[4] = points[77]
    indices, distances = nearest(queries, points, 5)
    all_of_them = np.linalg.norm(queries[:, None].astype(float) - points[None], axis=2)
    assert np.array_equal(indices, np.argsort(all_of_them, axis=1)[:, :5])
    assert np.allclose(distances, np.sort(all_of_them, axis=1)[:, :5], atol=1e-6)
    assert distances[4, 0] == 0
    own, _ = nearest(points, points, 3, skip_self=True)  # more than one block
    assert not (own == np.arange(700)[:, None]).any()


def test_distances_in_the_space_never_exceed_those_of_the_pictures():
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (60, 24, 24, 3)).astype(np.uint8)
    pixels[30:] = (pixels[30:] // 8 * 8).repeat(2, axis=1)[:, :24]
    space, coordinates = fit_space("pixel", pixels, describe_grid)
    assert np.allclose(space.coordinates(pixels), coordinates, atol=1e-6)
    values = pixels.reshape(60, -1).astype(float) / 127.5 - 1
    true = np.sqrt(((values[:, None] - values[None]) ** 2).mean(axis=2))
    near = np.linalg.norm(coordinates[:, None] - coordinates[None], axis=2)
    assert (near <= true + 1e-5).all()
    # All components and both lengths together are the whole length of a picture.
    whole = np.sqrt((coordinates.astype(float) ** 2).sum(axis=1))
    vectors, lost = describe_grid(pixels.astype(np.float32) / 127.5 - 1)
    total = ((vectors - space.centre) ** 2).sum(axis=1) + (lost**2).sum(axis=1)
    assert np.allclose(whole, np.sqrt(total), atol=1e-5)


def test_the_parts_of_a_picture_add_up_and_noise_is_mostly_finest_detail():
    noise = np.random.default_rng(2).normal(size=(8, 128, 128, 1)).astype(np.float32)
    vectors, lost = describe_grid(noise)
    parts = np.column_stack([(vectors**2).sum(axis=1), lost**2])
    assert np.allclose(parts.sum(axis=1), (noise**2).mean(axis=(1, 2, 3)), rtol=1e-4)
    # White noise in boxes of 64 pixels: 1/64 in their means, 1/4 - 1/64 above, 3/4 in the finest.
    assert np.allclose(parts.mean(axis=0), [1 / 64, 1 / 4 - 1 / 64, 3 / 4], atol=0.01)


@pytest.mark.parametrize(
    ("size", "boxes"),
    [(128, 16), (64, 16), (96, 16), (28, 14), (12, 12), (97, 16), (148, 16), (31, 31)],
)
def test_boxes_divide_the_picture_or_are_sixteen(size, boxes):
    assert boxes_a_side(size) == boxes


def test_a_side_with_large_prime_factors_has_no_more_coordinates_than_another():
    """Boxes of 6 and 7 pixels: the parts still add up, and distances are still no larger."""
    random = np.random.default_rng(7)
    pictures = random.normal(size=(6, 97, 97, 3)).astype(np.float32)
    pictures[3:] = pictures[3:, :1] + 0.1 * pictures[3:]
    vectors, lost = describe_grid(pictures)
    assert vectors.shape == (6, 16 * 16 * 3)
    whole = (pictures.astype(float) ** 2).mean(axis=(1, 2, 3))
    assert np.allclose((vectors**2).sum(axis=1) + (lost**2).sum(axis=1), whole, rtol=1e-4)
    near = ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
    near += ((lost[:, None] - lost[None]) ** 2).sum(axis=2)
    true = ((pictures[:, None] - pictures[None]) ** 2).mean(axis=(2, 3, 4))
    assert (near <= true * (1 + 1e-4) + 1e-6).all()
    # A picture that is the same in each box loses nothing, and is as long as its vector.
    even = np.repeat(np.arange(16), np.diff(np.append(np.arange(16) * 97 // 16, 97)))
    flat = random.normal(size=(1, 16, 16, 3)).astype(np.float32)[:, even][:, :, even]
    vectors, lost = describe_grid(flat)
    assert np.abs(lost).max() < 1e-3
    assert np.isclose((vectors**2).sum(), (flat**2).mean(), rtol=1e-5)


def test_trustworthiness_is_that_of_scikit_learn():
    manifold = pytest.importorskip("sklearn.manifold")
    random = np.random.default_rng(3)
    points = random.normal(size=(120, 5)).astype(np.float32)
    for positions in (points[:, :2], random.normal(size=(120, 2)).astype(np.float32)):
        expected = manifold.trustworthiness(points, positions, n_neighbors=7)
        assert trustworthiness(points, positions, 7) == pytest.approx(expected, abs=1e-9)
    assert trustworthiness(points, points, 7) == 1
    # A sum over two halves is, on the average, the sum over all.
    halves = [trustworthiness(points, points[:, :2], 7, np.arange(i, 120, 2)) for i in (0, 1)]
    assert np.mean(halves) == pytest.approx(trustworthiness(points, points[:, :2], 7))


def test_purity_counts_labelled_neighbours_alone():
    neighbours = np.array([[1, 2], [0, 3], [0, 1], [0, 1]])
    labels = np.array(["a", "a", "b", ""])
    # Of 0: a, b. Of 1: a (3 has no label). Of 2: a, a. 3 does not count.
    assert purity(neighbours, labels) == pytest.approx((1 + 1 + 0) / (2 + 1 + 2))


@pytest.fixture
def keep_space(shapes_folder, tmp_path, monkeypatch):
    """Keeps an image-text space of random weights as the one learnt from the shapes."""
    import torch

    from imagespace.evaluation import space_training
    from imagespace.evaluation.image_text_space import ImageTextNetwork, ImageTextSpace, save_space
    from imagespace.pictures.folder import read_folder
    from imagespace.text.vectors import load_text_encoder

    pictures, encoder = read_folder(shapes_folder, 16, 1), load_text_encoder()
    monkeypatch.setattr(space_training, "CACHE", tmp_path)

    def keep(seed: int):
        torch.manual_seed(seed)
        network = ImageTextNetwork(1, encoder.width)
        path = tmp_path / f"{pictures.key}-{encoder.fingerprint}.safetensors"
        save_space(path, ImageTextSpace(network, encoder, 1, pictures.key, ""))
        return path

    return pictures, keep


def test_an_atlas_is_not_read_with_features_that_were_learnt_anew(keep_space):
    from imagespace.atlas.building import space_of_atlas
    from imagespace.atlas.features import features_of

    pictures, keep = keep_space
    keep(0)
    name, extract = features_of(pictures)
    about = {"data_key": pictures.key, "space": "feature", "features": name, "explained": 1.0}
    atlas = dataclasses.replace(
        plain_atlas(),
        about=plain_atlas().about | about,
        basis={
            "centre": np.zeros(768, np.float32),
            "components": np.eye(50, 768, dtype=np.float32),
            "feature_centre": np.zeros(768, np.float32),
            "feature_spread": np.ones(768, np.float32),
        },
    )
    found = space_of_atlas(atlas, pictures).coordinates(pictures.pixels[:3])
    of_features = extract(pictures.pixels[:3].copy())[:, :50]
    # A vector is divided by the root of its 768 values, so that a length is a root mean square.
    assert np.allclose(found[:, :50], of_features / 768**0.5, atol=1e-4)
    keep(1)
    with pytest.raises(UserError, match=r"made from image-text-\w{16} .*--overwrite"):
        space_of_atlas(atlas, pictures)


def test_random_features_serve_few_pictures_and_hide_no_damage(keep_space):
    from imagespace.atlas.features import features_of

    pictures, keep = keep_space
    few = dataclasses.replace(pictures, splits=np.array(["train"] * 31 + ["validation"] * 49))
    assert features_of(few)[0] == "random"
    keep(0).write_bytes(b"torn")
    with pytest.raises(UserError, match=r"is not a whole image-text space\. Delete it"):
        features_of(pictures)


def test_the_caption_of_the_map_tells_the_purity_of_the_label_that_colours_it():
    sides = ["left-right", "top-bottom", "other"] * 20
    atlas = plain_atlas(structure=sides, radical=["water", "fire"] * 30)
    by_structure, by_radical = atlas.view_map(), atlas.view_map("radical")
    assert "98.0 % of a picture's neighbours share its structure" in by_structure.title
    assert "47.0 % of a picture's neighbours share its radical (5.0 %" in by_radical.title
