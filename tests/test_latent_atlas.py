"""The atlas of a latent model: over latents that lose nothing it is that of the pixels."""

import numpy as np
import pytest
import torch
from lossless import lossless_autoencoder
from matplotlib.image import AxesImage
from matplotlib.offsetbox import OffsetImage

from imagespace.atlas.basins import basins
from imagespace.atlas.building import build_atlas, space_of_atlas
from imagespace.atlas.commitment import commitment_view, fork
from imagespace.atlas.ends import course_of, ends
from imagespace.atlas.forward import forward_view
from imagespace.atlas.hill import hill_of, hill_view
from imagespace.atlas.latents import channels_last, latents_of
from imagespace.atlas.map_walks import walk_on_map
from imagespace.atlas.reading import NearestReading
from imagespace.atlas.showing import ShownReading, showing_of
from imagespace.atlas.slice import slice_at, slice_view
from imagespace.atlas.space import describe_grid, fit_space
from imagespace.checkpoints import tensors_sha256
from imagespace.errors import UserError
from imagespace.networks.build import build_network
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import Model, from_pixels
from imagespace.recipes import in_latents
from imagespace.text.vectors import load_text_encoder
from imagespace.training.latent_data import LatentData


def latent_twin(tiny_run, tiny_model, autoencoder):
    """The tiny model's own weights over latents: patches of 4 x 4 pixels are 16 channels."""
    config = in_latents(tiny_run, autoencoder.config, tensors_sha256(autoencoder.state_dict()))
    network = build_network(config.model.network)
    network.load_state_dict(tiny_model.network.state_dict())
    return config, Model(config.model, network, tiny_model.encoder, "4567", "latent", autoencoder)


@pytest.fixture(scope="module")
def twin(tiny_run, tiny_model):
    """Latents that are the pixels: every answer is that of the tiny model, rearranged."""
    return latent_twin(tiny_run, tiny_model, lossless_autoencoder())[1]


@pytest.fixture(scope="module")
def whitened(tiny_run, tiny_model):
    return latent_twin(tiny_run, tiny_model, lossless_autoencoder(mean=0.4, std=0.7))


@pytest.fixture(scope="module")
def pictures(shapes_folder):
    return read_folder(shapes_folder, 16, 1)


# ---------------------------------------------------------------- the map


def test_distances_of_latents_are_those_of_the_pictures(twin, pictures):
    """Rearranged pixels have equal distances; a grid of at most 16 x 16 keeps every value."""
    rows = np.arange(len(pictures))
    latents = latents_of(twin, pictures, rows)
    _, coordinates = fit_space("latent", latents, describe_grid)
    _, of_pixels = fit_space("pixel", np.ascontiguousarray(pictures.pixels), describe_grid)
    apart, expected = (
        np.linalg.norm(x[:, None] - x[None], axis=2) for x in (coordinates, of_pixels)
    )
    assert np.allclose(apart, expected, atol=2e-3)  # half precision
    # No detail is lost: the last length is zero exactly, also where memory is ordered otherwise.
    noise = np.random.default_rng(0).normal(size=(5, 6, 12, 12)).astype(np.float32)
    assert (describe_grid(noise.transpose(0, 2, 3, 1))[1] == 0).all()


def test_latents_that_training_kept_are_read_and_the_others_encoded(
    whitened, pictures, tmp_path, monkeypatch
):
    config, model = whitened
    rows = np.array([3, 40, 73, 79])
    alone = latents_of(model, pictures, rows)
    expected = model.encode(from_pixels(pictures.pixels[rows].copy())).permute(0, 2, 3, 1)
    assert np.abs(alone - expected.numpy()).max() < 2e-3
    encoder = load_text_encoder()
    LatentData(config, pictures, encoder, model.autoencoder, tmp_path)
    assert np.array_equal(latents_of(model, pictures, rows, tmp_path), alone)
    (kept,) = (tmp_path / ".imagespace").glob("latents-*.npy")
    changed = np.load(kept)
    changed[40] += 1
    np.save(kept, changed)
    told = latents_of(model, pictures, rows, tmp_path).astype(np.float32) - alone
    assert np.abs(told - np.array([0, 1, 0, 0]).reshape(4, 1, 1, 1)).max() < 2e-3
    # What training has no latents of is encoded, in its own place.
    moved = read_folder_with_held_out(pictures, 40)
    LatentData(config, moved, encoder, model.autoencoder, tmp_path)
    counted = []
    right = type(model).encode
    monkeypatch.setattr(type(model), "encode", lambda s, x: counted.append(len(x)) or right(s, x))
    assert np.array_equal(latents_of(model, moved, rows, tmp_path), alone)
    assert counted == [1]


def read_folder_with_held_out(pictures, row):
    from dataclasses import replace

    splits = pictures.splits.astype("<U10")
    splits[row] = "held_out"
    return replace(pictures, splits=splits, key="moved")


@pytest.fixture(scope="module")
def latent_atlas(twin, pictures):
    pytest.importorskip("umap")
    return build_atlas(twin, pictures, "latent")


@pytest.mark.slow
def test_the_map_of_lossless_latents_has_the_neighbours_of_the_pixels(
    latent_atlas, tiny_model, twin, pictures
):
    atlas = build_atlas(tiny_model, pictures, "pixel")
    assert latent_atlas.about["space"] == "latent"
    assert latent_atlas.about["explained"] == pytest.approx(atlas.about["explained"], abs=1e-3)
    apart, expected = (
        np.linalg.norm(x[:, None] - x[None], axis=2)
        for x in (latent_atlas.coordinates, atlas.coordinates)
    )
    assert np.allclose(apart, expected, atol=1e-2)
    assert np.array_equal(latent_atlas.sprites.pixels, atlas.sprites.pixels)
    assert latent_atlas.scores["off_map"]["noise"] == 1
    with pytest.raises(UserError, match="this map is of latents"):
        space_of_atlas(latent_atlas, pictures).coordinates(pictures.pixels[:2])


@pytest.mark.slow
def test_walks_are_placed_by_their_own_latents_and_decoded_only_to_be_seen(
    latent_atlas, twin, pictures, monkeypatch
):
    space = space_of_atlas(latent_atlas, pictures)
    decoded = []
    right = Model.decode
    monkeypatch.setattr(Model, "decode", lambda s, x: decoded.append(len(x)) or right(s, x))
    monkeypatch.setattr("imagespace.atlas.map_walks.MOST_SEEN", 2)
    walks = walk_on_map(latent_atlas, twin, pictures, space, 3, 4, prompts=["a disc"])
    assert decoded == [2] * 4
    monkeypatch.undo()
    for index, step in enumerate(twin.walk("a disc", 3, 0, num_steps=4)):
        on_map = latent_atlas.projection(space.coordinates(channels_last(step.x0_hat)))
        assert np.allclose(walks.positions[:, index], on_map.positions, atol=1e-4)
        stands = latent_atlas.projection(space.coordinates(channels_last(step.x_t)))
        assert np.allclose(walks.x_t_positions[:, index], stands.positions, atol=1e-4)
        assert np.allclose(walks.x_t_ratio[:, index], stands.ratio, rtol=1e-4)
    assert walks.x_t_is_off_map[:, 0].all()


def test_a_space_that_the_model_lacks_is_told(tiny_model, pictures):
    with pytest.raises(UserError, match="walks among pixels and has no latents"):
        build_atlas(tiny_model, pictures, "latent")


# ---------------------------------------------------------------- exact views


def three(pictures):
    return from_pixels(pictures.pixels[[0, 1, 3]].copy())


def noise(*shape, seed=3):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_slice_of_latents_is_the_model_at_its_points(whitened, pictures):
    """Asked again through the model's own door, at the latents of points of the plane."""
    _, model = whitened
    x_0, eps = model.encode(three(pictures)), noise(16, 4, 4)
    found = slice_at(model.prompted("disc", guidance=2.0), x_0, 0.6, eps, num=9)
    assert torch.allclose(found.plane.points(*found.plane.corners.T), 0.4 * x_0 + 0.6 * eps)
    for row, column in ((0, 0), (4, 4), (8, 2)):
        x_t = found.plane.points(found.u[column : column + 1], found.v[row : row + 1])
        conditional = x_t + model.field("direction", x_t, 0.6, "disc")
        empty = x_t + model.field("direction", x_t, 0.6, "")
        direction = empty + 2 * (conditional - empty) - x_t
        score = -(x_t - 0.4 * (x_t + direction)) / 0.6**2
        for values, expected in ((found.direction, direction), (found.score, score)):
            part = found.plane.part(expected)[0].tolist()
            assert values[row, column].tolist() == pytest.approx(part, abs=2e-5)


def test_over_lossless_latents_slice_hill_and_basins_are_those_of_the_pixels(
    twin, tiny_model, pictures
):
    x_0, eps = three(pictures), noise(1, 16, 16)
    pixel = slice_at(tiny_model.prompted(), x_0, 0.6, eps, num=7)
    latent = slice_at(twin.prompted(), twin.encode(x_0), 0.6, twin.encode(eps[None])[0], num=7)
    for name in ("u", "v", "direction", "score", "share", "clean"):
        torch.testing.assert_close(
            getattr(latent, name), getattr(pixel, name), atol=2e-5, rtol=0, msg=name
        )
    assert np.allclose(hill_of(latent).heights, hill_of(pixel).heights, atol=1e-3)
    noises, way = noise(3, 1, 16, 16), course_of(tiny_model, {"num_steps": 3, "sampler": "ddim"})
    on_sphere = noises * (16 / noises.flatten(1).norm(dim=1)).reshape(3, 1, 1, 1)
    corners = ends(tiny_model.prompted(), on_sphere, way)
    reading = NearestReading(corners, ["one", "two", "three"])
    expected = basins(tiny_model.prompted(), noises, way, reading, 9)
    decoded = ShownReading(reading, showing_of(twin))
    found = basins(twin.prompted(), twin.encode(noises), way, decoded, 9)
    assert len(np.unique(expected.kinds)) == 3
    assert np.array_equal(found.kinds, expected.kinds)


def test_views_of_latents_show_the_decoded_pictures_and_say_what_is_measured(
    twin, tiny_model, pictures
):
    """Beside the slice and on the strips stand the very pictures of the view of pixels."""
    x_0, eps, names = three(pictures), noise(1, 16, 16), ["one", "two", "three"]
    z_0, e, showing = twin.encode(x_0), twin.encode(eps[None])[0], showing_of(twin)
    way, options = {}, {"num_steps": 3, "sampler": "ddim"}
    for model in (tiny_model, twin):
        way[model] = course_of(model, options)
    forks = [
        fork(model.prompted(), start, way[model], way[model], 2)
        for model, start in ((tiny_model, eps), (twin, e))
    ]
    pairs = [
        (
            slice_view(tiny_model.prompted(), x_0, names, 0.6, eps, 3),
            slice_view(twin.prompted(), z_0, names, 0.6, e, 3, showing=showing),
        ),
        (
            hill_view(tiny_model.prompted(), x_0, names, 0.6, eps, 5),
            hill_view(twin.prompted(), z_0, names, 0.6, e, 5, showing=showing),
        ),
        (
            commitment_view(forks[0], None, "x"),
            commitment_view(forks[1], None, "x", showing=showing),
        ),
    ]
    for pixel, latent in pairs:
        shown, decoded = pictures_in(pixel.figure), pictures_in(latent.figure)
        assert len(shown) == len(decoded) >= 3
        for one, other in zip(shown, decoded, strict=True):
            assert np.abs(one.astype(int) - other).max() <= 1
    assert "Pictures are latents here" in said(pairs[0][1])
    assert "density is one of latents" in said(pairs[1][1])
    assert pairs[1][1].numbers["density_of"] == "latents"
    assert "latents" not in said(pairs[0][0]) + said(pairs[1][0])
    dissolving = forward_view(twin.schedule, z_0, names, showing=showing)
    assert len(pictures_in(dissolving.figure)) == 3 * 8 + 3
    first = pictures_in(dissolving.figure)[0]  # clean, as wide as the picture and not its latents
    assert np.abs(first[..., 0].astype(int) - pictures.pixels[0, :, :, 0]).max() <= 1


def pictures_in(figure):
    """Every picture of a figure, panels and those placed on axes."""
    found = []
    for artist in figure.findobj(lambda a: isinstance(a, AxesImage | OffsetImage)):
        data = artist.get_array() if isinstance(artist, AxesImage) else artist.get_data()
        found.append(np.asarray(data))
    return found


def said(view):
    return " ".join(view.figure.get_supxlabel().split())
