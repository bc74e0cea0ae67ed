"""The loss weighs what it says it weighs."""

import pytest
import torch

from imagespace.diffusion.denoiser import prediction_target
from imagespace.diffusion.objective import ObjectiveConfig, sample_times, squared_error
from imagespace.diffusion.schedule import SCHEDULES, per_picture


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("space", ["eps", "v", "velocity"])
def test_x0_error_seen_in_another_space(name, space):
    config = ObjectiveConfig(schedule=name, prediction="x0", loss_weight=space)
    schedule = config.build_schedule()
    random = torch.Generator().manual_seed(0)
    x_0, eps, error = torch.randn(3, 5, 1, 4, 4, generator=random, dtype=torch.float64)
    t = torch.linspace(0.1, 0.9, 5, dtype=torch.float64) + 0.0005
    x_t = schedule.add_noise(x_0, eps, t)
    x0_hat = x_0 + 0.1 * error
    # The same wrong answer in the other space, from x_t and x0_hat alone.
    time = per_picture(t, x_t)
    eps_hat = (x_t - schedule.alpha(time) * x0_hat) / schedule.sigma(time)
    wrong = prediction_target(x0_hat, eps_hat, t, schedule, space)
    right = prediction_target(x_0, eps, t, schedule, space)
    expected = (wrong - right).square().flatten(1).mean(dim=1)
    answer = squared_error(x0_hat, x_0, x_t, eps, t, config, schedule)
    torch.testing.assert_close(answer, expected, rtol=1e-4, atol=1e-7)


def test_own_space_is_the_plain_error():
    config = ObjectiveConfig(schedule="ddpm_linear", prediction="eps", loss_weight="eps")
    x_0, eps = torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2)
    output = torch.stack([eps[0], eps[0] + 2])
    t = torch.tensor([0.3, 0.6])
    schedule = config.build_schedule()
    error = squared_error(output, x_0, x_0, eps, t, config, schedule)
    assert error.tolist() == [0.0, 4.0]


def test_weight_near_clean_is_bounded():
    config = ObjectiveConfig(smallest_weighted_time=0.05)
    schedule = config.build_schedule()
    x_0 = torch.zeros(2, 1, 1, 1)
    t = torch.tensor([0.0, 0.05])
    error = squared_error(x_0 + 1, x_0, x_0, x_0, t, config, schedule)
    torch.testing.assert_close(error, torch.tensor([400.0, 400.0]))


def test_logit_normal_times_have_their_quantiles():
    config = ObjectiveConfig(logit_mean=0.6, logit_std=1.3)
    t = sample_times(config, 10_000, torch.Generator().manual_seed(0)).double()
    logits = torch.logit(t)
    # Stratified draws: quantiles are far closer than chance would make them.
    assert logits.median() == pytest.approx(0.6, abs=0.01)
    assert logits.std() == pytest.approx(1.3, abs=0.02)
    uniform = ObjectiveConfig(time_distribution="uniform")
    t = sample_times(uniform, 1000, torch.Generator().manual_seed(0)).sort().values
    assert (t - (torch.arange(1000) + 0.5) / 1000).abs().max() <= 0.0006


@pytest.mark.parametrize("name", SCHEDULES)
def test_named_weights(name):
    """min-SNR (arXiv 2303.09556) and EDM (arXiv 2206.00364, table 1) of the noise-to-signal r."""
    schedule = SCHEDULES[name]()
    r = torch.tensor([0.2, 1.0, 5.0], dtype=torch.float64)
    t, x_0 = schedule.time_at(r), torch.zeros(3, 1, dtype=torch.float64)
    off_by_one = x_0 + 1
    min_snr = ObjectiveConfig(schedule=name, loss_weight="min_snr", min_snr_gamma=5)
    error = squared_error(off_by_one, x_0, x_0, x_0, t, min_snr, schedule)
    assert error.tolist() == pytest.approx([5, 1, 0.04], rel=1e-4)
    edm = ObjectiveConfig(schedule=name, loss_weight="edm", sigma_data=0.5)
    error = squared_error(off_by_one, x_0, x_0, x_0, t, edm, schedule)
    expected = [(v**2 + 0.25) / (0.5 * v) ** 2 for v in (0.2, 1.0, 5.0)]
    assert error.tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", SCHEDULES)
def test_edm_times_have_a_log_normal_ratio(name):
    config = ObjectiveConfig(schedule=name, time_distribution="edm")
    t = sample_times(config, 20_000, torch.Generator().manual_seed(0))
    log_ratio = config.build_schedule().ratio(t.double()).log()
    # The noisiest of EDM's levels lie beyond what DDPM's table reaches from below.
    assert float(log_ratio.median()) == pytest.approx(-1.2, abs=0.01)
    assert float(log_ratio.std()) == pytest.approx(1.2, abs=0.02)


def test_first_model_files_are_read():
    assert ObjectiveConfig.model_validate({"loss_space": "v"}).loss_weight == "v"
    stored = ObjectiveConfig(loss_weight="eps").model_dump(mode="json")
    assert ObjectiveConfig.model_validate(stored).loss_weight == "eps"
