"""New pictures on a map: where they land, how wrong that is, and what is off the map."""

import numpy as np
import pytest

from imagespace.atlas.neighbours import nearest
from imagespace.atlas.projection import fit_projection, weighted_positions
from imagespace.atlas.refit import aligned
from imagespace.atlas.space import describe_grid, fit_space


def discs(num: int, seed: int, size: int = 32):
    """Pictures uint8 [N, S, S, 1] of a dark disc, and its middles [N, 2] in shares of the side."""
    middles = np.random.default_rng(seed).uniform(0.3, 0.7, (num, 2))
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    away = np.hypot(x - middles[:, :1, None], y - middles[:, 1:, None])
    ink = np.clip((0.2 - away) * size, 0, 1)
    return (255 * (1 - ink)).round().astype(np.uint8)[..., None], middles.astype(np.float32)


@pytest.fixture(scope="module")
def fitted():
    """Discs whose map is where their middles are: the truth is known."""
    pixels, positions = discs(600, 0)
    space, coordinates = fit_space("pixel", pixels, describe_grid)
    neighbours = nearest(coordinates, coordinates, 15, skip_self=True)
    projection, scores = fit_projection(coordinates, positions, *neighbours)
    return pixels, positions, space, projection, scores


def test_a_copy_lands_on_its_original(fitted):
    pixels, positions, space, projection, _ = fitted
    placed = projection(space.coordinates(pixels))
    assert np.array_equal(placed.nearest, np.arange(len(pixels)))
    assert np.abs(placed.positions - positions).max() < 1e-4
    # A copy is no distance away: it is off the map only by a length of detail beyond the 99.7th
    # percentile of the real pictures', as the longest of 600 always is.
    assert 1 <= placed.is_off_map.sum() <= 2 * (1 + len(pixels) // 300)


def test_new_pictures_land_where_they_belong(fitted):
    _, positions, space, projection, scores = fitted
    new, middles = discs(200, 1)
    placed = projection(space.coordinates(new))
    error = np.median(np.linalg.norm(placed.positions - middles, axis=1))
    spread = np.sqrt(positions.var(axis=0).sum())
    assert error / spread < 0.1 < scores["random_error"]
    # The score, from pictures left out one at a time, is the error on pictures that are new.
    assert error / spread == pytest.approx(scores["median_error"], rel=0.35)
    assert placed.is_off_map.mean() < 0.05


def test_noise_is_off_the_map_long_before_it_is_pure(fitted):
    pixels, _, space, projection, _ = fitted
    random = np.random.default_rng(2)
    x_0 = pixels[:40].astype(np.float32) / 127.5 - 1
    eps = random.normal(size=x_0.shape).astype(np.float32)
    for t in (0.3, 0.6, 1.0):
        placed = projection(space.coordinates((1 - t) * x_0 + t * eps))
        assert placed.is_off_map.all(), t
    assert projection(space.coordinates(eps)).ratio.min() > 1.5
    # Grey, black and white are as smooth as pictures are not.
    flat = np.stack([np.full_like(x_0[0], value) for value in (-1.0, 0.0)])
    assert projection(space.coordinates(flat)).is_off_map.all()


def test_one_in_a_hundred_real_pictures_is_off_the_map_at_most(fitted):
    pixels, _, space, projection, _ = fitted
    coordinates = space.coordinates(pixels)
    _, distances = nearest(coordinates, coordinates, 1, skip_self=True)
    lengths = np.abs(coordinates[:, -2:] - np.array(projection.usual))
    off = (distances[:, 0] > projection.farthest) | (lengths > projection.unusual).any(axis=1)
    assert 0 < off.mean() <= 0.0101


def test_weights_are_those_of_the_distances():
    positions = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
    indices = np.array([[0, 1, 2]])
    placed = weighted_positions(positions, indices, np.array([[1.0, 1.0, 1.0]], np.float32))
    assert np.allclose(placed, [[1 / 3, 1 / 3]])
    placed = weighted_positions(positions, indices, np.array([[1.0, 2.0, 2.0]], np.float32))
    assert np.allclose(placed, [[2**-8 / (1 + 2 * 2**-8)] * 2])


def test_alignment_undoes_a_turn_a_mirror_a_scale_and_a_shift():
    random = np.random.default_rng(3)
    onto = random.normal(size=(30, 2)).astype(np.float32)
    extra = random.normal(size=(5, 2)).astype(np.float32)
    turn = np.array([[np.cos(1.0), np.sin(1.0)], [np.sin(1.0), -np.cos(1.0)]])
    moved = 2.5 * np.vstack([onto, extra]) @ turn + np.array([3.0, -1.0])
    found = aligned(moved.astype(np.float32), onto)
    assert np.abs(found - np.vstack([onto, extra])).max() < 1e-5


@pytest.mark.slow
def test_walks_start_off_the_map_and_are_kept(shapes_folder, tiny_model, tmp_path):
    pytest.importorskip("umap")
    from imagespace.atlas import build_atlas, load_walks, space_of_atlas, walk_on_map
    from imagespace.errors import UserError
    from imagespace.pictures.folder import read_folder

    pictures = read_folder(shapes_folder, 16, 1)
    atlas = build_atlas(tiny_model, pictures)
    space = space_of_atlas(atlas, pictures)
    walks = walk_on_map(atlas, tiny_model, pictures, space, num=70, num_steps=3)
    assert walks.positions.shape == (70, 3, 2)  # more than one batch
    assert walks.x_t_is_off_map[:, 0].all()
    # Alone, a walk is what it is among others: it has a seed of its own.
    prompt = walks.prompts[0]
    alone = walk_on_map(atlas, tiny_model, pictures, space, 1, 3, prompts=[prompt])
    assert np.abs(alone.seen[0].astype(int) - walks.seen[0]).max() <= 1
    walks.save(tmp_path)
    kept = load_walks(tmp_path, walks.about)
    assert np.array_equal(kept.positions, walks.positions)
    assert np.array_equal(kept.is_off_map, walks.is_off_map)
    assert kept.prompts == walks.prompts
    assert load_walks(tmp_path, walks.about | {"seed": 1}) is None
    for view in (atlas.view_walks(walks), atlas.view_basins(walks)):
        assert len(view._repr_png_()) > 10_000
    shares = atlas.view_basins(walks).numbers["share_of_walks"]
    assert sum(shares) == pytest.approx(1)
    with pytest.raises(UserError, match=r"x{300}"):
        walk_on_map(atlas, tiny_model, pictures, space, 1, 3, prompts=["x" * 300])
