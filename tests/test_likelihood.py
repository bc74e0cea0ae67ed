"""Likelihoods against closed forms."""

import math

import pytest
import torch

from imagespace.diffusion.exact import ExactGaussian, ExactMixture
from imagespace.diffusion.likelihood import (
    BITS_OF_A_GREY_LEVEL,
    Likelihood,
    likelihood,
    random_signs,
)
from imagespace.diffusion.schedule import SCHEDULES, RectifiedFlow
from imagespace.randomness import generator


def points_at(denoiser, num, ratio):
    """Points of the clean distribution with the noise of that ratio, and their time."""
    x_0 = denoiser.sample(num, generator(0, "x_0"))
    t = denoiser.schedule.time_at(torch.tensor(ratio, dtype=torch.float64))
    eps = torch.randn(x_0.shape, generator=generator(0, "eps"), dtype=torch.float64)
    return denoiser.schedule.add_noise(x_0, eps, t.expand(num)), t


@pytest.mark.parametrize("schedule_name", SCHEDULES)
def test_mixture_matches_its_closed_form(schedule_name):
    """Exact trace, in the plane: within 0.01 bits per dimension at every single point."""
    means = torch.tensor([[-0.8, 0.3], [0.6, 0.7], [0.4, -0.6]], dtype=torch.float64)
    stds = torch.tensor([0.1, 0.3, 0.2], dtype=torch.float64)
    denoiser = ExactMixture(SCHEDULES[schedule_name](), means, stds)
    x, t = points_at(denoiser, 64, 0.01)
    measured = likelihood(denoiser, x, start_ratio=0.01, num_steps=64)
    bits, error = measured.bits_per_dimension()
    exact = -denoiser.log_density(x, t) / (2 * math.log(2))
    assert float((bits - exact).abs().max()) < 0.01
    assert not error.any()


def test_hutchinson_is_unbiased_and_knows_its_error():
    """The probes of a mixture in 16 dimensions scatter round the exact value as they say."""
    means = torch.randn(4, 16, generator=generator(1, "means"), dtype=torch.float64)
    stds = torch.tensor([0.2, 0.3, 0.4, 0.5], dtype=torch.float64)
    denoiser = ExactMixture(RectifiedFlow(), means, stds)
    x, _ = points_at(denoiser, 200, 0.05)
    probes = random_signs((8, *x.shape), generator(2, "probes")).double()
    exact = likelihood(denoiser, x, 0.05, num_steps=24).log_probability
    estimate = likelihood(denoiser, x, 0.05, num_steps=24, probes=probes)
    deviation = estimate.log_probability - exact
    # Single ratios are skewed (few probes are often all a little off to one side): sums are not.
    total = deviation.sum() / estimate.standard_error.square().sum().sqrt()
    assert abs(float(total)) < 3
    spread = deviation.square().mean() / estimate.standard_error.square().mean()
    assert 0.5 < float(spread) < 2
    assert float(estimate.standard_error.min()) > 0


def test_one_probe_knows_no_error():
    denoiser = ExactGaussian(RectifiedFlow(), torch.zeros(3, dtype=torch.float64), 0.5)
    x, _ = points_at(denoiser, 20, 0.05)
    probes = random_signs((1, *x.shape), generator(2, "probes")).double()
    found = likelihood(denoiser, x, 0.05, num_steps=24, probes=probes)
    # The trace of a multiple of the identity is the same by any probe.
    exact = likelihood(denoiser, x, 0.05, num_steps=24).log_probability
    torch.testing.assert_close(found.log_probability, exact)
    assert found.standard_error.isnan().all()


def test_a_finer_walk_is_nearer():
    """Fourth order: half the step, a sixteenth of the error."""
    # A narrow one: what is left of it at the largest ratio is far below these errors.
    denoiser = ExactGaussian(RectifiedFlow(), torch.zeros(3, dtype=torch.float64), 0.1)
    x, t = points_at(denoiser, 50, 0.02)
    exact = denoiser.log_density(x, t)
    errors = [
        float((likelihood(denoiser, x, 0.02, steps).log_probability - exact).abs().max())
        for steps in (12, 24)
    ]
    assert errors[1] < errors[0] / 8


def test_uniform_noise_costs_eight_bits():
    """A density of 1/2 a dimension on [-1, 1], seen as 256 grey levels."""
    flat = Likelihood(torch.full((1,), -5 * math.log(2.0)), torch.ones(1), 5)
    bits, error = flat.bits_per_dimension(BITS_OF_A_GREY_LEVEL)
    assert float(bits) == pytest.approx(8, abs=0.01)
    assert float(error) == pytest.approx(1 / (5 * math.log(2)))


def test_probes_must_fit():
    denoiser = ExactGaussian(RectifiedFlow(), torch.zeros(2), 1.0)
    with pytest.raises(ValueError, match="at least one"):
        likelihood(denoiser, torch.zeros(3, 2), probes=torch.ones(0, 3, 2))
    with pytest.raises(ValueError, match="shaped as x"):
        likelihood(denoiser, torch.zeros(3, 2), probes=torch.ones(2, 3, 1))
