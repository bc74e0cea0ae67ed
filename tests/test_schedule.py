"""Schedules against their definitions."""

import pytest
import torch

from imagespace.diffusion.schedule import EDM, SCHEDULES, DDPMLinear, RectifiedFlow


@pytest.mark.parametrize("name", SCHEDULES)
def test_runs_from_clean_to_noise(name):
    schedule = SCHEDULES[name]()
    ends = torch.tensor([0.0, 1.0])
    assert schedule.alpha(ends)[0] == 1
    assert schedule.sigma(ends)[0] == 0
    # Little of the picture is left against the noise.
    assert schedule.ratio(ends)[1] >= 80
    assert schedule.sigma(ends)[1] > 0.99
    log_snr = schedule.log_snr_half(torch.linspace(0.01, 0.99, 99))
    assert (log_snr.diff() < 0).all()


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_are_the_derivatives(name):
    schedule = SCHEDULES[name]()
    # Between the DDPM table's entries, where the scales are smooth.
    t = torch.linspace(0.05, 0.95, 19, dtype=torch.float64) + 0.0005
    step = 1e-6
    for scale, rate in zip((schedule.alpha, schedule.sigma), schedule.rates(t), strict=True):
        numeric = (scale(t + step) - scale(t - step)) / (2 * step)
        torch.testing.assert_close(rate, numeric, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", SCHEDULES)
def test_time_at_inverts_the_ratio(name):
    schedule = SCHEDULES[name]()
    t = torch.linspace(0.001, 0.999, 57, dtype=torch.float64)
    torch.testing.assert_close(schedule.time_at(schedule.ratio(t)), t, rtol=1e-9, atol=1e-9)
    assert schedule.time_at(torch.tensor(0.0)) == 0


def test_edm_shows_its_network_unit_scales():
    """c_in of arXiv 2206.00364, table 1, for data of standard deviation 0.5."""
    schedule = EDM()
    t = schedule.time_at(torch.tensor([0.002, 0.5, 80.0], dtype=torch.float64))
    random = torch.Generator().manual_seed(0)
    x_0, eps = torch.randn(2, 3, 4000, generator=random, dtype=torch.float64)
    shown, time = schedule.network_input(schedule.add_noise(0.5 * x_0, eps, t), t)
    torch.testing.assert_close(shown.std(dim=1), torch.ones(3).double(), atol=0.05, rtol=0)
    assert time.tolist() == pytest.approx([0, 0.521, 1], abs=1e-3)


def test_ddpm_is_the_product_of_its_betas():
    abar = 1.0
    schedule = DDPMLinear()
    for n in range(1, 1001):
        abar *= 1 - (1e-4 + (0.02 - 1e-4) * (n - 1) / 999)
        if n in (1, 2, 500, 1000):
            t = torch.tensor(n / 1000, dtype=torch.float64)
            assert float(schedule.alpha(t)) ** 2 == pytest.approx(abar, rel=1e-6)
            assert float(schedule.sigma(t)) ** 2 == pytest.approx(1 - abar, rel=1e-6)


@pytest.mark.parametrize("name", ["ddpm_linear", "cosine"])
def test_variance_is_preserved(name):
    schedule = SCHEDULES[name]()
    t = torch.linspace(0, 1, 101)
    total = schedule.alpha(t).square() + schedule.sigma(t).square()
    torch.testing.assert_close(total, torch.ones_like(t), rtol=1e-5, atol=1e-5)


def test_noise_is_added_per_picture():
    x_0, eps = torch.ones(2, 1, 2, 2), torch.full((2, 1, 2, 2), 10.0)
    x_t = RectifiedFlow().add_noise(x_0, eps, torch.tensor([0.0, 0.5]))
    assert x_t[0].eq(1).all()
    assert x_t[1].eq(5.5).all()
