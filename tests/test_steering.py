"""Steering along axes: attributes in closed form, an exact denoiser, pictures that are turned."""

import json

import numpy as np
import pytest
import torch

from imagespace.axes.finding import find_attribute
from imagespace.diffusion.exact import ExactGaussian
from imagespace.diffusion.schedule import RectifiedFlow
from imagespace.diffusion.steering import Steering
from imagespace.errors import UserError
from imagespace.pictures.attributes import measure
from imagespace.pictures.folder import read_folder
from imagespace.pictures.png_settings import read_settings
from imagespace.pipeline import from_pixels
from imagespace.pipeline.axis import parse_axes


def log_odds(share: float) -> float:
    share = 1e-3 + (1 - 2e-3) * share
    return float(np.log(share / (1 - share)))


def disc(side: int) -> torch.Tensor:
    places = (torch.arange(side) + 0.5) / side - 0.5
    radius = (places[:, None].square() + places[None].square()).sqrt()
    edge = ((radius - 0.3) * side).clamp(-1, 1)  # antialiased
    return edge[None, None]


def test_colours_of_a_flat_picture():
    red, green, blue = 0.2, 0.7, 0.4
    x = torch.tensor([red, green, blue])[None, :, None, None].expand(1, 3, 8, 8) * 2 - 1
    found = measure(x, ("brightness", "greenness", "yellowness"))[0]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    wanted = [log_odds(luma), green - (red + blue) / 2, (red + green) / 2 - blue]
    torch.testing.assert_close(found, torch.tensor(wanted))


def test_density_is_the_length_of_the_outline_whatever_the_size():
    for side in (64, 128):
        assert measure(disc(side), ("density",)).item() == pytest.approx(2 * np.pi * 0.3, rel=0.02)


def test_roundness_tells_a_disc_from_a_square_however_turned():
    square = torch.ones(1, 1, 64, 64)
    square[:, :, 16:48, 16:48] = -1
    places = torch.arange(64) - 31.5
    turned = (places[:, None].abs() + places[None].abs() - 24).clamp(-1, 1)[None, None]
    round_, straight, diagonal = (
        measure(x, ("roundness",)).item() for x in (disc(64), square, turned)
    )
    assert round_ > log_odds(0.95)
    assert max(straight, diagonal) < log_odds(0.15)


def test_steering_a_gaussian_moves_along_the_gradient_alone():
    """For a(x) = A x and M = I, x0_hat + A^T (A A^T)^-1 (target - A x0_hat) in one update."""
    random = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=random, dtype=torch.float64)  # noqa: E731
    rows, x_t, t = draw(2, 6), draw(3, 6), torch.tensor(0.5, dtype=torch.float64)
    exact = ExactGaussian(RectifiedFlow(), draw(6), 0.7)
    wanted = draw(3, 2)
    bounds = (wanted[None], wanted[None])
    units = torch.ones(2, dtype=torch.float64)
    steering = Steering(exact, lambda x: x @ rows.T, [1.0], bounds, units, are_pixels=False)
    x_0, moved = exact(x_t, t), steering(x_t, t)
    closed = x_0 + (wanted - x_0 @ rows.T) @ torch.linalg.pinv(rows).T
    torch.testing.assert_close(moved @ rows.T, wanted, atol=0.011, rtol=0)
    torch.testing.assert_close(moved, closed, atol=0.02, rtol=0)
    # Within its slack nothing moves: the very bits.
    slack = (x_0 @ rows.T - 1)[None], (x_0 @ rows.T + 1)[None]
    held = Steering(exact, lambda x: x @ rows.T, [1.0], slack, units, are_pixels=False)
    assert torch.equal(held(x_t, t), x_0)


def test_bounds_are_interpolated_between_the_times_of_the_walk():
    bound = torch.tensor([0.0, 2.0, 6.0])[:, None, None]
    exact = ExactGaussian(RectifiedFlow(), torch.zeros(1), 1.0)
    steering = Steering(exact, lambda x: x, [1.0, 0.5, 0.1], (bound, bound), torch.ones(1), False)
    x_t = torch.tensor([[0.3]])
    for t, wanted in ((1.0, 0.0), (0.75, 1.0), (0.3, 4.0), (0.1, 6.0)):
        assert steering(x_t, torch.tensor(t)).item() == pytest.approx(wanted, abs=0.011)


def test_an_axis_moves_its_attribute_by_the_value_and_others_within_the_slack(turnable_either):
    model, axis, _ = turnable_either
    plain = model.generate("a square", 4, num_steps=3, guidance=1).pixels
    names, units = axis.attributes, torch.tensor(axis.units)
    turned = model.generate("a square", 4, num_steps=3, guidance=1, axes={"brightness": -1}).pixels
    between = [
        measure(from_pixels(turned), names)[:, k] - measure(from_pixels(plain), names)[:, k]
        for k in range(len(names))
    ]
    moves = torch.stack(between, dim=1) / units
    assert moves[:, 0].tolist() == pytest.approx([-1.0] * 4, abs=0.1)
    assert moves[:, 1:].abs().max() < 0.15 + 0.1


def test_zero_is_the_very_picture_and_a_turned_one_is_redrawn_from_its_settings(turnable, tmp_path):
    model, axis = turnable
    plain = model.generate("a disc", 2, num_steps=2)
    zero = model.generate("a disc", 2, num_steps=2, axes={"brightness": 0})
    assert np.array_equal(plain.pixels, zero.pixels)
    assert plain.settings == zero.settings
    turned = model.generate("a disc", 2, num_steps=2, axes={"brightness": 1.5})
    stored, _ = read_settings(turned.save(tmp_path / "turned.png"))
    assert stored[0]["axes"] == [{"name": "brightness", "value": 1.5, "sha256": axis.sha256}]
    settings = [type(turned.settings[0]).model_validate(one) for one in stored]
    assert np.array_equal(model.draw(settings).pixels, turned.pixels)
    assert not np.array_equal(turned.pixels, plain.pixels)
    # Found anew on other pictures, it is another axis: the picture is not drawn from it.
    axis.model_copy(update={"units": (0.5, *axis.units[1:])}).save(
        tmp_path / "axes" / "brightness.safetensors"
    )
    with pytest.raises(UserError, match="the picture was drawn with"):
        model.draw(settings)


def test_what_cannot_be_turned_is_said_in_one_line(turnable, tmp_path, shapes_folder):
    model, axis = turnable
    with pytest.raises(UserError, match=r"axis 'width'.*Known: brightness"):
        model.settings("a disc", axes={"width": 1})
    with pytest.raises(UserError, match=r"from -6 to \+6"):
        model.settings("a disc", axes={"brightness": 6.5})
    assert parse_axes(["a=-.5", "b-c=+2", "d=3."]) == {"a": -0.5, "b-c": 2, "d": 3}
    for malformed in ("brightness+2", "brightness=", "brightness=.", "brightness=nan", "=1"):
        with pytest.raises(UserError, match="NAME=VALUE"):
            parse_axes([malformed])
    with pytest.raises(UserError, match="twice"):
        parse_axes(["brightness=2", "brightness=-1"])
    with pytest.raises(UserError, match="is of colour"):
        find_attribute(model, read_folder(shapes_folder, 16, 1), "greenness")
    of_others = axis.model_copy(update={"name": "density", "units": (0.1, *axis.units[1:])})
    of_others.save(tmp_path / "axes" / "density.safetensors")
    with pytest.raises(UserError, match="brightness and density: were found on different"):
        model.settings("a disc", axes={"brightness": 1, "density": 1})
    assert len(model.settings("a disc", axes={"brightness": 1, "density": 0})[0].axes) == 1
    path = tmp_path / "axes" / "brightness.safetensors"
    axis.model_copy(update={"model_sha256": "ffff"}).save(path)
    with pytest.raises(UserError, match="found with weights ffff"):
        model.settings("a disc", axes={"brightness": 1})
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UserError, match="not a whole axis"):
        model.settings("a disc", axes={"brightness": 1})


def test_settings_of_before_there_were_axes_can_be_read(tiny_model):
    stored = json.loads(tiny_model.settings("a disc")[0].model_dump_json())
    del stored["axes"]
    assert type(tiny_model.settings("a disc")[0]).model_validate(stored).axes == ()
