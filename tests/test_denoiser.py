"""Predictions convert into each other, and oracles agree with calculus."""

import pytest
import torch

from imagespace.diffusion.denoiser import (
    NetworkDenoiser,
    predicted_x0,
    prediction_target,
)
from imagespace.diffusion.exact import ExactGaussian, ExactPictures
from imagespace.diffusion.schedule import SCHEDULES, RectifiedFlow

PREDICTIONS = ("x0", "eps", "v", "velocity")


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_prediction_round_trip(name, prediction):
    schedule = SCHEDULES[name]()
    random = torch.Generator().manual_seed(0)
    x_0, eps = torch.randn(2, 7, 1, 4, 4, generator=random, dtype=torch.float64)
    t = torch.linspace(0.05, 0.9, 7, dtype=torch.float64)
    x_t = schedule.add_noise(x_0, eps, t)
    target = prediction_target(x_0, eps, t, schedule, prediction)
    answer = predicted_x0(target, x_t, t, schedule, prediction)
    torch.testing.assert_close(answer, x_0, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SCHEDULES)
def test_score_is_the_gradient_of_the_log_density(name):
    schedule = SCHEDULES[name]()
    mean, std = torch.tensor([0.3, -0.7], dtype=torch.float64), 0.4
    denoiser = ExactGaussian(schedule, mean, std)
    x = torch.tensor([[0.9, -0.2], [-1.5, 2.0]], dtype=torch.float64, requires_grad=True)
    for time in (0.1, 0.5, 0.9):
        t = torch.tensor(time, dtype=torch.float64)
        variance = schedule.alpha(t) ** 2 * std**2 + schedule.sigma(t) ** 2
        log_density = -(x - schedule.alpha(t) * mean).square().sum() / (2 * variance)
        (gradient,) = torch.autograd.grad(log_density, x)
        torch.testing.assert_close(denoiser.score(x.detach(), t), gradient)


def test_finite_set_matches_the_posterior_mean():
    pictures = torch.tensor([[[[-1.0]]], [[[1.0]]]])
    denoiser = ExactPictures(RectifiedFlow(), pictures)
    x_t, t = torch.tensor([[[[0.1]]], [[[-0.3]]]]), torch.tensor(0.5)
    # Two equal points at +-1: the posterior mean is tanh(alpha x / sigma^2).
    expected = torch.tanh(0.5 * x_t / 0.25)
    torch.testing.assert_close(denoiser(x_t, t), expected)


def test_velocity_points_along_the_straight_line():
    x_0 = torch.full((1, 1, 2, 2), 0.25)
    denoiser = ExactPictures(RectifiedFlow(), x_0)
    eps, t = torch.randn(1, 1, 2, 2, generator=torch.Generator().manual_seed(1)), torch.tensor(0.6)
    x_t = RectifiedFlow().add_noise(x_0, eps, t)
    torch.testing.assert_close(denoiser.velocity(x_t, t), eps - x_0)
    torch.testing.assert_close(denoiser.eps(x_t, t), eps)
    torch.testing.assert_close(denoiser.direction(x_t, t), x_0 - x_t)


def test_network_receives_a_time_for_each_picture():
    seen = {}

    def network(x_t, t, condition):
        seen["t"], seen["condition"] = t, condition
        return x_t * 0.5

    condition = torch.arange(3.0)[:, None]
    denoiser = NetworkDenoiser(network, RectifiedFlow(), "x0", condition)
    x_t = torch.ones(3, 1, 2, 2)
    assert denoiser(x_t, torch.tensor(0.25)).eq(0.5).all()
    assert seen["t"].tolist() == [0.25] * 3
    assert seen["condition"] is condition
