"""Views of points in the plane and on the line against closed forms."""

import math

import numpy as np
import pytest
import torch

from imagespace.atlas.ends import Course
from imagespace.atlas.hill import hill_of
from imagespace.atlas.point_field import point_field, point_field_view
from imagespace.atlas.river import river, river_view
from imagespace.atlas.slice import slice_at
from imagespace.diffusion.exact import ExactGaussian, ExactMixture
from imagespace.diffusion.samplers import DDIM
from imagespace.diffusion.schedule import RectifiedFlow
from imagespace.diffusion.spacing import step_times

FLOW = RectifiedFlow()


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def course(num_steps, sampler=DDIM, schedule=FLOW):
    return Course(step_times(num_steps, schedule), sampler)


def test_heights_of_a_mixture_are_its_log_density():
    means = torch.tensor([[1.0, 0.2], [-0.8, 0.5], [0.1, -1.0]])
    denoiser = ExactMixture(FLOW, means, torch.full((3,), 0.3), torch.tensor([0.5, 0.3, 0.2]))
    errors = []
    for num in (21, 41):
        one = slice_at(denoiser, means, 0.4, None, num)
        hill = hill_of(one)
        (points,) = one.plane.grid_points(one.u, one.v, num * num)
        truth = denoiser.log_density(points, torch.tensor(0.4))
        truth = truth.reshape(num, num).double().numpy()
        found = hill.heights - hill.heights.mean()
        errors.append(np.abs(found - (truth - truth.mean())).max())
        assert hill.drop > 4
        assert hill.disagreement < 0.02 * hill.drop
    assert errors[1] < 0.02
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.25)  # of second order


def test_two_ways_disagree_by_the_curl_of_a_field_that_has_one():
    """Score (-v, u) has curl 2: two ways around a rectangle differ by twice its area."""

    class Whirl(ExactGaussian):
        def __call__(self, x_t, t):
            # eps_hat = -sigma score, x0_hat = (x_t - sigma eps_hat) / alpha.
            turned = torch.stack([-x_t[:, 1], x_t[:, 0]], dim=1)
            alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
            return (x_t + sigma**2 * turned) / alpha

    three = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    one = slice_at(Whirl(FLOW, torch.zeros(2), 1.0), three, 0.5, None, 15)
    width, height = (one.u - one.u[0]).numpy(), (one.v - one.v[0]).numpy()
    areas = 2 * width[None] * height[:, None]
    assert hill_of(one).disagreement == pytest.approx(float(np.sqrt((areas**2).mean())), rel=1e-4)


def test_the_river_carries_the_quantiles_of_a_gaussian():
    """x_t has the quantiles alpha m + sqrt(alpha^2 s^2 + sigma^2) z at every time."""
    mean, std = 0.3, 0.5
    denoiser = ExactGaussian(FLOW, torch.tensor([mean]), std)
    found = river(denoiser, num_steps=60, num=2001)
    z = torch.special.ndtri((torch.arange(2001) + 0.5) / 2001)
    for index in (0, 30, 45, 60):
        t = float(found.times[index])
        expected = (1 - t) * mean + math.sqrt(((1 - t) * std) ** 2 + t**2) * z
        assert float((found.places[index] - expected).abs().max()) < 2e-3
    edges = torch.linspace(-4, 4, 33)
    density = found.density(edges)
    assert torch.allclose(density.sum(dim=1) * 0.25, torch.ones(61), atol=2e-3)
    middle = (edges[1:] + edges[:-1]) / 2
    normal = torch.exp(-0.5 * ((middle - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))
    assert float((density[-1] - normal).abs().max()) < 0.03


def test_density_of_points_in_the_plane_is_the_closed_form():
    means = torch.tensor([[0.5, 0.1], [-0.5, -0.2]])
    denoiser = ExactMixture(FLOW, means, torch.tensor([0.2, 0.3]))
    one = point_field(denoiser, 0.3, 2.0, 25)
    y, x = torch.meshgrid(one.axis, one.axis, indexing="ij")
    truth = denoiser.log_density(torch.stack([x, y], dim=-1).reshape(-1, 2), torch.tensor(0.3))
    assert torch.allclose(one.density.flatten(), truth.exp(), atol=4e-3)
    assert one.mass == pytest.approx(1, abs=0.01)


@pytest.mark.slow
def test_views_of_points_tell_the_quantiles_of_what_they_learnt():
    denoiser = ExactGaussian(FLOW, torch.tensor([0.3]), 0.5)
    numbers = river_view(denoiser, 0.3 + 0.5 * draw(5000, 1), num_steps=40).numbers
    assert numbers["quantiles"]["0.95"] == pytest.approx(0.3 + 0.5 * 1.644854, abs=0.01)
    assert numbers["true_quantiles"]["0.5"] == pytest.approx(0.3, abs=0.03)
    flat = ExactGaussian(FLOW, torch.zeros(2), 0.4)
    view = point_field_view(flat, num=21, num_steps=20)
    assert view.numbers["mass_in_the_frame"][-1] == pytest.approx(1, abs=0.02)
