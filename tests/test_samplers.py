"""Samplers converge, at the order they declare, to what the oracle says."""

import math
from itertools import pairwise

import pytest
import torch

from imagespace.diffusion.denoiser import ExactGaussian, ExactPictures
from imagespace.diffusion.guidance import ClassifierFreeGuidance
from imagespace.diffusion.samplers import DDIM, SAMPLERS, DPMSolverPP2M, step_times, walk
from imagespace.diffusion.schedule import SCHEDULES, RectifiedFlow
from imagespace.randomness import generator, picture_noise

MEAN, STD = 0.5, 0.3


def no_noise(index):
    raise AssertionError("a deterministic sampler drew noise")


def end_of(sampler, schedule, x_start, times, noise=no_noise):
    denoiser = ExactGaussian(schedule, torch.tensor(MEAN, dtype=x_start.dtype), STD)
    return list(walk(denoiser, x_start, times, sampler, noise))[-1].x_next


def flow_map(schedule, x, t_from, t_to):
    """The probability flow of a Gaussian keeps the standardised value."""
    scales = []
    for time in (t_from, t_to):
        t = torch.tensor(time, dtype=torch.float64)
        alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        scales.append((alpha * MEAN, (alpha**2 * STD**2 + sigma**2).sqrt()))
    (mean_a, std_a), (mean_b, std_b) = scales
    return mean_b + (x - mean_a) / std_a * std_b


@pytest.mark.parametrize(
    ("name", "order"), [("ddim", 1), ("euler", 1), ("heun", 2), ("dpmpp_2m", 2)]
)
@pytest.mark.parametrize("schedule_name", ["rectified_flow", "cosine"])
def test_order_of_convergence(name, order, schedule_name):
    schedule = SCHEDULES[schedule_name]()
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    # Away from both ends, where lambda is finite and every step is of full order.
    start, stop = 0.9, 0.1
    exact = flow_map(schedule, x, start, stop)
    errors = []
    sizes = (64, 128, 256)
    for num_steps in sizes:
        times = [start + (stop - start) * i / num_steps for i in range(num_steps + 1)]
        end = end_of(SAMPLERS[name](), schedule, x, times)
        errors.append(float((end - exact).abs().max()))
    measured = math.log2(errors[0] / errors[-1]) / 2
    assert measured == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("schedule_name", SCHEDULES)
def test_noise_becomes_the_distribution(name, schedule_name):
    schedule = SCHEDULES[schedule_name]()
    num = 20_000
    x = torch.randn(num, 1, generator=generator(0, "start"), dtype=torch.float64)

    def noise(index):
        return torch.randn(num, 1, generator=generator(0, "step", index), dtype=torch.float64)

    # The ancestral sampler ignores the spread of x_0 given x_t: its steps must be small.
    num_steps = 1000 if name == "ddpm" else 200
    end = end_of(SAMPLERS[name](), schedule, x, step_times(num_steps), noise)
    standard_error = STD / math.sqrt(num)
    assert float(end.mean()) == pytest.approx(MEAN, abs=5 * standard_error + 0.01)
    assert float(end.std()) == pytest.approx(STD, rel=0.03)


def test_ddpm_noise_is_the_posterior_variance():
    """With x0_hat known exactly, one DDPM step draws from q(x_next | x_t, x_0)."""
    schedule = SCHEDULES["ddpm_linear"]()
    t, t_next = torch.tensor(0.5, dtype=torch.float64), torch.tensor(0.499, dtype=torch.float64)
    x_0 = torch.zeros(1, 1, dtype=torch.float64)
    denoiser = ExactPictures(schedule, x_0)
    x_t = torch.ones(1, 1, dtype=torch.float64)
    abar, abar_next = schedule.alpha(t) ** 2, schedule.alpha(t_next) ** 2
    beta = 1 - abar / abar_next
    beta_tilde = (1 - abar_next) / (1 - abar) * beta
    zero, _ = SAMPLERS["ddpm"]().step(denoiser, x_t, t, t_next, 0, lambda _: x_t * 0)
    one, _ = SAMPLERS["ddpm"]().step(denoiser, x_t, t, t_next, 0, lambda _: x_t)
    # Ho et al. 2020, equation 7, with x_0 = 0.
    mean = (abar / abar_next).sqrt() * (1 - abar_next) / (1 - abar)
    assert float(zero) == pytest.approx(float(mean), rel=1e-6)
    assert float(one - zero) == pytest.approx(float(beta_tilde.sqrt()), rel=1e-6)


def test_euler_is_ddim_on_the_rectified_flow():
    x = torch.randn(5, 1, generator=generator(3, "x"), dtype=torch.float64)
    ends = [
        end_of(SAMPLERS[name](), RectifiedFlow(), x, step_times(7)) for name in ("euler", "ddim")
    ]
    torch.testing.assert_close(*ends)


def test_dpmpp_starts_and_arrives_where_lambda_is_infinite():
    x = torch.randn(5, 1, generator=generator(4, "x"))
    end = end_of(DPMSolverPP2M(), RectifiedFlow(), x, step_times(20))
    exact = flow_map(RectifiedFlow(), x.double(), 1.0, 0.0)
    assert (end - exact).abs().max() < 0.02


def test_walk_is_a_chain():
    denoiser = ExactGaussian(RectifiedFlow(), torch.tensor(0.0), 1.0)
    times = step_times(6, shift=3.0)
    steps = list(walk(denoiser, torch.ones(2, 1), times, DDIM(), no_noise))
    assert [step.index for step in steps] == list(range(6))
    assert steps[0].t == 1
    assert steps[-1].t_next == 0
    for before, after in pairwise(steps):
        assert before.x_next is after.x_t
        assert before.t_next == after.t
    # The shift spends more of its steps near noise.
    assert sum(t > 0.5 for t in times) > 4


def test_guidance_is_linear_and_has_an_interval():
    schedule = RectifiedFlow()
    towards = ExactPictures(schedule, torch.full((1, 1), 1.0))
    away = ExactPictures(schedule, torch.full((1, 1), -0.5))
    x = torch.zeros(1, 1)
    guided = ClassifierFreeGuidance(towards, away, 3.0, (0.2, 0.8))
    assert float(guided(x, torch.tensor(0.5))) == pytest.approx(-0.5 + 3 * 1.5)
    assert float(guided(x, torch.tensor(0.9))) == 1.0
    assert float(guided(x, torch.tensor(0.1))) == 1.0
    off = ClassifierFreeGuidance(towards, away, 1.0)
    assert float(off(x, torch.tensor(0.5))) == 1.0
    zero = ClassifierFreeGuidance(towards, away, 0.0)
    assert float(zero(x, torch.tensor(0.5))) == pytest.approx(-0.5)


def test_noise_of_a_picture_does_not_depend_on_its_batch():
    alone = picture_noise((1, 4, 4), 7, "start", [5])
    together = picture_noise((1, 4, 4), 7, "start", range(9))
    assert torch.equal(alone[0], together[5])
    assert not torch.equal(together[4], together[5])
    assert not torch.equal(picture_noise((1, 4, 4), 8, "start", [5]), alone)
