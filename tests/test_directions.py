"""Directions of axes: words, examples and components, in the bottleneck and among samples."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from imagespace.axes.activations import activations
from imagespace.axes.directions import components, find_examples, find_unnamed, find_words
from imagespace.axes.finding import training_rows
from imagespace.axes.ica import independent
from imagespace.errors import UserError
from imagespace.networks.bottleneck import recorded, shifted
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import Model, from_pixels
from imagespace.pipeline.axis import load_axis


def wordy(model):
    """A copy whose blocks do something: those of a new network are the identity."""
    network = copy.deepcopy(model.network)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        torch.nn.init.normal_(network.modulation.weight, std=0.1)
    return Model(model.config, network, model.encoder, model.sha256, model.source)


def test_the_bottleneck_is_moved_by_the_shift_and_by_nothing_after(tiny_model):
    network, shape = tiny_model.network, tiny_model.config.network.sample_shape
    x_t = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    denoiser, t = tiny_model.denoiser(["a disc", "a square"]), torch.tensor(0.5)
    with torch.no_grad(), recorded(network) as seen:
        before = denoiser(x_t, t)
        width = seen[0].shape[1:]
        shift = torch.randn(width, generator=torch.Generator().manual_seed(1))
        with shifted(network, shift), recorded(network) as inside:
            moved = denoiser(x_t, t)
        after = denoiser(x_t, t)
    assert width[0] == tiny_model.config.network.num_patches
    torch.testing.assert_close(inside[0], seen[0] + shift)
    assert torch.equal(after, before)
    assert not torch.equal(moved, before)
    with torch.no_grad():
        torch.testing.assert_close(denoiser(x_t, t), before, atol=0, rtol=0)
    assert not any(block._forward_hooks for block in network.blocks)


def test_the_words_axis_at_one_takes_the_bottleneck_from_one_word_to_the_other(
    turnable, shapes_folder, tmp_path
):
    model, _ = turnable
    model = wordy(model)
    pictures = read_folder(shapes_folder, 16, 1)
    axis = find_words(model, pictures, ("a disc", "a square"), "disc-square")
    axis.save(tmp_path / "axes" / "disc-square.safetensors")
    loaded = load_axis(tmp_path / "axes", "disc-square", model.source, model.sha256)
    assert loaded.sha256 == axis.sha256
    assert axis.direction is not None
    assert loaded.direction is not None
    assert torch.equal(loaded.direction, axis.direction)
    x_0 = from_pixels(np.ascontiguousarray(pictures.pixels[training_rows(pictures, 64)]))
    # The mean of the bottleneck under the one word, moved by 1, is the mean under the other.
    first = activations(model, x_0, ["a disc"] * 64)
    second = activations(model, x_0, ["a square"] * 64)
    for way, a, b in zip(axis.direction, first, second, strict=True):
        assert way.abs().max() > 1e-3
        torch.testing.assert_close(a.mean(dim=0) + way, b.mean(dim=0), atol=1e-4, rtol=1e-3)
    with pytest.raises(UserError, match="the same to this model"):
        find_words(model, pictures, ("a disc", "a disc"), "same")
    plain = model.generate("a disc", 1, num_steps=2).pixels
    turned = model.generate("a disc", 1, num_steps=2, axes={"disc-square": 2}).pixels
    assert not np.array_equal(plain, turned)
    assert np.array_equal(plain, model.generate("a disc", 1, num_steps=2).pixels)


def test_examples_point_from_the_first_to_the_second_in_standard_deviations(
    turnable, shapes_folder, tmp_path
):
    model, _ = turnable
    pictures = read_folder(shapes_folder, 16, 1)
    halves = []
    for name in ("square", "line"):
        rows = [i for i, caption in enumerate(pictures.captions) if name in caption]
        halves.append(dataclasses.replace(pictures, pixels=pictures.pixels[rows], captions=rows))
    axis = find_examples(model, pictures, (halves[0], halves[1]), "square-line")
    back = find_examples(model, pictures, (halves[1], halves[0]), "line-square")
    assert axis.direction is not None
    assert back.direction is not None
    torch.testing.assert_close(axis.direction, -back.direction, atol=1e-5, rtol=1e-4)
    # One unit is one standard deviation of the projection, whatever the two sets.
    rows = pictures.indices("train")
    x_0 = from_pixels(np.ascontiguousarray(pictures.pixels[rows]))
    for way, seen in zip(axis.direction, activations(model, x_0, [""] * len(rows)), strict=True):
        scores = seen.flatten(1) @ way.flatten() / way.square().sum()
        assert scores.std().item() == pytest.approx(1, rel=0.02)
    with pytest.raises(UserError, match="the same pictures"):
        find_examples(model, pictures, (halves[0], halves[0]), "same")
    # In another order they meet other noise, and are still the same.
    backwards = dataclasses.replace(halves[0], pixels=halves[0].pixels[::-1])
    with pytest.raises(UserError, match="the same pictures"):
        find_examples(model, pictures, (halves[0], backwards), "same")


def test_components_are_those_of_the_covariance():
    """Two views of normal data whose axes and variances are known."""
    random = torch.Generator().manual_seed(0)
    turn, _ = torch.linalg.qr(torch.randn(5, 5, generator=random))
    spread = torch.tensor([5.0, 3.0, 1.0, 0.1, 0.1])
    data = (torch.randn(4000, 5, generator=random) * spread) @ turn.T
    data = data[:1000]
    ways = components([data, 2 * data], 3, "pca")
    for k in range(3):
        size = ways[0, k].norm().item()
        assert size == pytest.approx(spread[k].item(), rel=0.1)
        assert abs(ways[0, k] @ turn[:, k]).item() / size > 0.98
    torch.testing.assert_close(ways[1], 2 * ways[0], atol=1e-3, rtol=1e-3)


def test_there_are_no_more_components_than_directions():
    """Forty points on a plane in six dimensions: the third component would be rounding."""
    random = torch.Generator().manual_seed(0)
    data = torch.randn(40, 2, generator=random) @ torch.randn(2, 6, generator=random) + 3
    assert components([data], 2, "pca").shape == (1, 2, 6)
    with pytest.raises(UserError, match="--num 3: the pictures vary in 2 directions"):
        components([data], 3, "pca")


def test_ica_undoes_a_mixture_that_pca_cannot():
    random = torch.Generator().manual_seed(0)
    sources = torch.rand(4000, 2, generator=random, dtype=torch.float64) * 12**0.5 - 3**0.5
    angle = torch.tensor(0.6)
    turn = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]]).double()
    white = sources @ turn.T
    found = (independent(white) @ turn).abs()
    assert found.amax(dim=1).min() > 0.995
    assert torch.linalg.matrix_norm(found @ found.T - torch.eye(2)) < 0.1


def test_a_component_of_samples_moves_its_projection_by_the_value(
    turnable_either, shapes_folder, tmp_path
):
    model, _, of = turnable_either
    pictures = read_folder(shapes_folder, 16, 1)
    axis = next(find_unnamed(model, pictures, "pca", of, 2))
    assert axis.name == f"pca-1-{of}"
    axis.save(tmp_path / "axes" / f"{axis.name}.safetensors")
    assert axis.direction is not None
    way = axis.direction.flatten()
    where = []
    for value in (0, 0.5):
        for step in model.walk("a disc", 1, num_steps=3, axes={axis.name: value}):  # noqa: B007
            pass
        where.append((step.x_next.flatten() @ way / way.square().sum()).item())
    assert where[1] - where[0] == pytest.approx(0.5, abs=0.05)
    # One unit is one standard deviation over the training pictures' own samples.
    samples = model.encode(from_pixels(pictures.pixels[pictures.indices("train")]))
    scores = samples.flatten(1) @ way / way.square().sum()
    assert scores.std().item() == pytest.approx(1, rel=0.01)
    other = "latents" if of == "pictures" else "pictures"
    with pytest.raises(UserError, match=f"walks among {of}"):
        next(find_unnamed(model, pictures, "pca", other, 2))
    with pytest.raises(UserError, match="from 1 to 32"):
        next(find_unnamed(model, pictures, "pca", of, 99))
