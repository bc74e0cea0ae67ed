"""A plane through three points, and the field on it: identities and closed forms."""

import math

import pytest
import torch

from imagespace.atlas.plane import Plane
from imagespace.atlas.slice import slice_at, slices_at
from imagespace.diffusion.exact import ExactMixture
from imagespace.diffusion.schedule import Cosine, RectifiedFlow
from imagespace.errors import UserError


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_coordinates_of_a_point_lead_back_to_it():
    a, b, c = draw(3, 2, 5, 5)
    plane = Plane.through(a, b, c)
    u, v = draw(2, 40, seed=1).double() * 3
    back = plane.coordinates(plane.points(u, v))
    assert torch.allclose(back, torch.stack([u, v], dim=1), atol=1e-5)
    corners = plane.points(*plane.corners.T)
    assert torch.allclose(corners, torch.stack([a, b, c]), atol=1e-5)
    # Distances in the plane are distances in image space.
    assert float((plane.corners[0] - plane.corners[1]).norm()) == pytest.approx(
        float((a - b).norm()), rel=1e-6
    )


def test_points_of_a_spherical_slice_have_its_norm_and_lie_between_its_corners():
    a, b, c = draw(3, 1, 16, 16)
    plane = Plane.through(a, b, c, radius=16.0)
    u, v = plane.grid(9)
    points = torch.cat(list(plane.grid_points(u, v, 20)))
    assert torch.allclose(points.flatten(1).norm(dim=1), torch.tensor(16.0), atol=1e-4)
    back = plane.coordinates(points).reshape(9, 9, 2)
    assert torch.allclose(back[..., 0], u.expand(9, 9), atol=1e-4)
    assert torch.allclose(back[..., 1], v[:, None].expand(9, 9), atol=1e-4)
    # A straight line of the slice is a great circle: it stays in the span of its two ends.
    middle = plane.points(*(plane.corners[:1] + plane.corners[1:2]).T / 2).flatten().double()
    span = torch.linalg.qr(torch.stack([a.flatten(), b.flatten()], dim=1).double()).Q
    assert float((middle - span @ (span.T @ middle)).norm()) < 1e-4


def test_part_of_a_vector_is_what_its_difference_leaves_orthogonal():
    plane = Plane.through(*draw(3, 1, 4, 4))
    vectors = draw(6, 1, 4, 4, seed=2).double()
    part = plane.part(vectors)
    rest = vectors - part[:, :1, None, None] * plane.first - part[:, 1:, None, None] * plane.second
    assert float(plane.part(rest).abs().max()) < 1e-12
    pythagoras = part.norm(dim=1) ** 2 + rest.flatten(1).norm(dim=1) ** 2
    assert torch.allclose(pythagoras, vectors.flatten(1).norm(dim=1) ** 2)


def test_three_points_on_a_line_have_no_plane():
    a, b = draw(2, 1, 4, 4)
    for c in (a, a + 0.5 * (b - a)):
        with pytest.raises(UserError, match="one line"):
            Plane.through(a, b, c)


def test_the_slice_is_the_model_at_its_points(tiny_model):
    pictures, eps = draw(3, 1, 16, 16) * 0.5, draw(1, 16, 16, seed=3)
    denoiser = tiny_model.prompted("disc", guidance=2.0)
    found = slice_at(denoiser, pictures, 0.6, eps, num=9)
    # The same points by hand, in other batches, through the model's own door.
    noisy = 0.4 * pictures + 0.6 * eps
    plane = Plane.through(*noisy)
    for row, column in ((0, 0), (4, 4), (8, 2)):
        x_t = plane.points(found.u[column : column + 1], found.v[row : row + 1])
        conditional = x_t + tiny_model.field("direction", x_t, 0.6, "disc")
        empty = x_t + tiny_model.field("direction", x_t, 0.6, "")
        direction = empty + 2 * (conditional - empty) - x_t
        u = float((direction.double() * plane.first).sum())
        v = float((direction.double() * plane.second).sum())
        assert found.direction[row, column].tolist() == pytest.approx([u, v], abs=2e-5)
        share = math.hypot(u, v) / float(direction.norm())
        assert float(found.share[row, column]) == pytest.approx(share, abs=1e-5)


@pytest.mark.parametrize("schedule", [RectifiedFlow(), Cosine()])
def test_arrows_of_a_mixture_are_its_closed_form(schedule):
    """One Gaussian: x0_hat = m + alpha s^2 / (alpha^2 s^2 + sigma^2) (x_t - alpha m)."""
    mean, std, t = draw(1, 6, 6, seed=4), 0.7, 0.45
    denoiser = ExactMixture(schedule, mean[None], torch.tensor([std]))
    pictures = draw(3, 1, 6, 6, seed=5)
    found = slice_at(denoiser, pictures, t, None, num=7)
    alpha, sigma = (float(f(torch.tensor(t))) for f in (schedule.alpha, schedule.sigma))
    variance = (alpha * std) ** 2 + sigma**2
    gain = alpha * std**2 / variance
    plane = found.plane
    at = plane.coordinates(torch.zeros_like(mean)[None])[0]  # zero's foot on the plane
    towards = plane.part(mean[None])[0]
    grid = torch.stack(torch.meshgrid(found.v, found.u, indexing="ij")[::-1], dim=-1)
    position = grid - at  # the part of x_t itself
    expected = (1 - gain * alpha) * towards + (gain - 1) * position
    assert torch.allclose(found.direction, expected, atol=1e-4)
    score = -(position - alpha * towards) / variance
    assert torch.allclose(found.score, score, atol=1e-3)


def test_slices_at_several_times_are_each_its_own_and_reported_as_one_work():
    denoiser = ExactMixture(RectifiedFlow(), draw(2, 1, 6, 6), torch.tensor([0.3, 0.6]))
    pictures, eps, told = draw(3, 1, 6, 6, seed=5), draw(1, 6, 6, seed=6), []
    times = (0.8, 0.5, 0.2)
    found = slices_at(denoiser, pictures, times, eps, 9, lambda *now: told.append(now))
    for t, one in zip(times, found, strict=True):
        assert torch.equal(one.direction, slice_at(denoiser, pictures, t, eps, 9).direction)
    assert told == sorted(told)
    assert told[-1] == (3 * 81, 3 * 81)
    assert (81, 3 * 81) in told


def test_share_is_one_where_the_plane_is_all_there_is():
    means = torch.tensor([[1.0, 0.0], [-1.0, 0.5], [0.0, -1.0]])
    denoiser = ExactMixture(RectifiedFlow(), means, torch.full((3,), 0.2))
    found = slice_at(denoiser, means, 0.5, None, num=11)
    assert torch.allclose(found.share, torch.ones(11, 11, dtype=torch.float64), atol=1e-6)
