"""Samplers converge, at the order they declare, to what the oracle says."""

import math
from itertools import pairwise

import pytest
import torch

from imagespace.diffusion.exact import ExactGaussian, ExactMixture, ExactPictures
from imagespace.diffusion.guidance import Guidance
from imagespace.diffusion.samplers import (
    DDIM,
    DETERMINISTIC,
    SAMPLERS,
    DPMSolverPP2M,
    Langevin,
    RungeKutta45,
    walk,
)
from imagespace.diffusion.schedule import EDM, SCHEDULES, Cosine, RectifiedFlow
from imagespace.diffusion.spacing import step_times
from imagespace.randomness import generator, picture_noise

MEAN, STD = 0.5, 0.3


def no_noise(index):
    raise AssertionError("a deterministic sampler drew noise")


def end_of(sampler, schedule, x_start, times, noise=no_noise):
    denoiser = ExactGaussian(schedule, torch.tensor([MEAN], dtype=x_start.dtype), STD)
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


def mixture(schedule):
    """Three unequal Gaussians in the plane."""
    means = torch.tensor([[-0.8, 0.3], [0.6, 0.7], [0.4, -0.6]], dtype=torch.float64)
    stds = torch.tensor([0.25, 0.35, 0.2], dtype=torch.float64)
    return ExactMixture(schedule, means, stds, torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64))


@pytest.mark.parametrize("schedule_name", SCHEDULES)
def test_reference_follows_the_closed_form(schedule_name):
    schedule = SCHEDULES[schedule_name]()
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None] * schedule.sigma(torch.tensor(0.9))
    # DDPM's table has a kink at each of its 1,000 steps, which a high order cannot use.
    tolerance = 1e-5 if schedule_name == "ddpm_linear" else 1e-8
    end = end_of(RungeKutta45(tolerance), schedule, x, [0.9, 0.4, 0.1])
    exact = flow_map(schedule, x, 0.9, 0.1)
    torch.testing.assert_close(end, exact, rtol=0, atol=200 * tolerance)


def test_reference_works_harder_for_a_smaller_tolerance():
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    exact = flow_map(RectifiedFlow(), x, 0.9, 0.1)
    errors = [
        float((end_of(RungeKutta45(tolerance), RectifiedFlow(), x, [0.9, 0.1]) - exact).abs().max())
        for tolerance in (1e-3, 1e-6, 1e-9)
    ]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    assert errors[2] < 1e-8


@pytest.mark.parametrize(
    ("name", "order"), [("ddim", 1), ("euler", 1), ("heun", 2), ("dpmpp_2m", 2)]
)
@pytest.mark.parametrize("schedule_name", ["rectified_flow", "cosine", "edm"])
def test_order_of_convergence(name, order, schedule_name):
    schedule = SCHEDULES[schedule_name]()
    denoiser = mixture(schedule)
    # Away from both ends, where lambda is finite and every step is of full order.
    start, stop = (0.02, 0.004) if schedule_name == "edm" else (0.9, 0.25)
    x_0 = denoiser.sample(32, generator(1, "points"))
    eps = torch.randn(x_0.shape, generator=generator(1, "eps"), dtype=torch.float64)
    x = schedule.add_noise(x_0, eps, torch.full((32,), start, dtype=torch.float64))
    (reference,) = walk(denoiser, x, [start, stop], RungeKutta45(1e-10), no_noise)
    errors = []
    for num_steps in (128, 256, 512):
        times = [start + (stop - start) * i / num_steps for i in range(num_steps + 1)]
        end = list(walk(denoiser, x, times, SAMPLERS[name](), no_noise))[-1].x_next
        errors.append(float((end - reference.x_next).square().mean().sqrt()))
    measured = math.log2(errors[0] / errors[-1]) / 2
    assert measured == pytest.approx(order, abs=0.2)


def standard_errors_from_truth(denoiser, drawn):
    """How many standard errors sampled means and covariances are off, at worst."""
    p = denoiser.log_probabilities.exp()[:, None]
    mean = (p * denoiser.means).sum(dim=0)
    centred = denoiser.means - mean
    covariance = (p * centred).T @ centred + (p[:, 0] * denoiser.stds**2).sum() * torch.eye(2)
    deviations = drawn - mean
    products = deviations[:, :, None] * deviations[:, None, :]
    num = len(drawn) ** 0.5
    off_mean = deviations.mean(dim=0) / (deviations.std(dim=0) / num)
    off_covariance = (products.mean(dim=0) - covariance) / (products.std(dim=0) / num)
    return float(torch.cat([off_mean, off_covariance.flatten()]).abs().max())


MOMENT_WALKS = [
    ("euler", "cosine", "karras", 400),
    pytest.param("ddim", "cosine", "karras", 1500, marks=pytest.mark.slow),
    *[(name, schedule, "karras", 60) for name in ("heun",) for schedule in SCHEDULES],
    *[("dpmpp_2m", schedule, "karras", 100) for schedule in SCHEDULES],
    ("rk45", "rectified_flow", "uniform", 2),
    ("dpmpp_2m_sde", "rectified_flow", "karras", 150),
    pytest.param("ddpm", "cosine", "karras", 2000, marks=pytest.mark.slow),
]
"""Steps enough that the method's own error hides behind the sampling error of 100,000 points."""


@pytest.mark.parametrize(("name", "schedule_name", "spacing", "num_steps"), MOMENT_WALKS)
def test_moments_of_a_mixture(name, schedule_name, spacing, num_steps):
    schedule = SCHEDULES[schedule_name]()
    denoiser, num = mixture(schedule), 100_000

    def noise(index):
        random = generator(0, "step", index)
        return torch.randn(num, 2, generator=random, dtype=torch.float64)

    # Pure noise still holds a trace of the data where sigma_1 / alpha_1 is finite.
    x_0, t = denoiser.sample(num, generator(0, "x_0")), torch.ones(num, dtype=torch.float64)
    x_1 = schedule.add_noise(x_0, noise(-1), t)
    times = step_times(num_steps, schedule, spacing)
    for step in walk(denoiser, x_1, times, SAMPLERS[name](), noise):  # noqa: B007
        pass
    assert standard_errors_from_truth(denoiser, step.x_next) < 3
    shares = torch.bincount(denoiser.component(step.x_next, torch.tensor(0.0))) / num
    torch.testing.assert_close(shares, torch.tensor([0.2, 0.5, 0.3]), atol=0.01, rtol=0)


def test_langevin_draws_from_one_noise_level():
    """At a constant time it must leave p_t as it is, and find it from elsewhere."""
    schedule = RectifiedFlow()
    denoiser, num, time = mixture(schedule), 20_000, 0.5
    x = torch.zeros(num, 2, dtype=torch.float64)

    def noise(index):
        random = generator(5, "step", index)
        return torch.randn(num, 2, generator=random, dtype=torch.float64)

    steps = list(walk(denoiser, x, [time] * 400, Langevin(step_size=0.2), noise))
    t = torch.tensor(time, dtype=torch.float64)
    expected = schedule.alpha(t) * denoiser.sample(num, generator(6, "x"))
    expected = expected + schedule.sigma(t) * noise(-1)
    drawn = steps[-1].x_next
    torch.testing.assert_close(drawn.mean(dim=0), expected.mean(dim=0), atol=0.02, rtol=0)
    torch.testing.assert_close(drawn.std(dim=0), expected.std(dim=0), atol=0.02, rtol=0)


def test_gradient_ascent_without_noise_collapses_on_the_mode():
    denoiser = ExactGaussian(RectifiedFlow(), torch.tensor([MEAN], dtype=torch.float64), STD)
    x = torch.linspace(-1, 2, 31, dtype=torch.float64)[:, None]
    climb = Langevin(step_size=0.3, temperature=0.0)
    steps = list(walk(denoiser, x, [0.2] * 400, climb, no_noise))
    torch.testing.assert_close(steps[-1].x_next, torch.full_like(x, 0.8 * MEAN))


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
        end_of(SAMPLERS[name](), RectifiedFlow(), x, step_times(7, RectifiedFlow()))
        for name in ("euler", "ddim")
    ]
    torch.testing.assert_close(*ends)


def test_dpmpp_starts_and_arrives_where_lambda_is_infinite():
    x = torch.randn(5, 1, generator=generator(4, "x"))
    end = end_of(DPMSolverPP2M(), RectifiedFlow(), x, step_times(20, RectifiedFlow()))
    exact = flow_map(RectifiedFlow(), x.double(), 1.0, 0.0)
    assert (end - exact).abs().max() < 0.02


def test_walk_is_a_chain():
    denoiser = ExactGaussian(RectifiedFlow(), torch.zeros(1), 1.0)
    times = step_times(6, RectifiedFlow(), shift=3.0)
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
    guided = Guidance(towards, away, 3.0, (0.2, 0.8))
    assert float(guided(x, torch.tensor(0.5))) == pytest.approx(-0.5 + 3 * 1.5)
    assert float(guided(x, torch.tensor(0.9))) == 1.0
    assert float(guided(x, torch.tensor(0.1))) == 1.0
    off = Guidance(towards, away, 1.0)
    assert float(off(x, torch.tensor(0.5))) == 1.0
    zero = Guidance(towards, away, 0.0)
    assert float(zero(x, torch.tensor(0.5))) == pytest.approx(-0.5)


def test_noise_of_a_picture_does_not_depend_on_its_batch():
    alone = picture_noise((1, 4, 4), 7, "start", [5])
    together = picture_noise((1, 4, 4), 7, "start", range(9))
    assert torch.equal(alone[0], together[5])
    assert not torch.equal(together[4], together[5])
    assert not torch.equal(picture_noise((1, 4, 4), 8, "start", [5]), alone)


@pytest.mark.parametrize("schedule", [RectifiedFlow(), EDM()])
def test_euler_ancestral_is_the_ancestral_sampler(schedule):
    """k-diffusion's rule, written in z = x / alpha and r = sigma / alpha, is our DDPM step."""
    denoiser = mixture(schedule)
    t, t_next = torch.tensor(0.6, dtype=torch.float64), torch.tensor(0.5, dtype=torch.float64)
    x = torch.randn(6, 2, generator=generator(8, "x"), dtype=torch.float64) * schedule.sigma(t)
    fresh = torch.randn(6, 2, generator=generator(8, "noise"), dtype=torch.float64)
    r, r_next = schedule.ratio(t), schedule.ratio(t_next)
    r_up = (r_next**2 * (r**2 - r_next**2) / r**2).sqrt()
    r_down = (r_next**2 - r_up**2).sqrt()
    z = x / schedule.alpha(t)
    z_next = z + (z - denoiser(x, t)) / r * (r_down - r) + r_up * fresh
    ours, _ = SAMPLERS["euler_ancestral"]().step(denoiser, x, t, t_next, 0, lambda _: fresh)
    torch.testing.assert_close(ours, schedule.alpha(t_next) * z_next)


def test_sde_solver_keeps_the_law_of_a_gaussian():
    """One step from p_t with x0_hat linear in x: the mean follows exactly."""
    schedule = Cosine()
    denoiser = ExactPictures(schedule, torch.full((1, 1), 0.4, dtype=torch.float64))
    t, t_next = torch.tensor(0.6, dtype=torch.float64), torch.tensor(0.3, dtype=torch.float64)
    num = 200_000
    eps, fresh = torch.randn(2, num, 1, generator=generator(9, "x"), dtype=torch.float64)
    x = schedule.alpha(t) * 0.4 + schedule.sigma(t) * eps
    for eta in (0.0, 0.5, 1.0):
        x_next, _ = DPMSolverPP2M(eta).step(denoiser, x, t, t_next, 0, lambda _: fresh)
        noise_left = x_next - schedule.alpha(t_next) * 0.4
        assert float(noise_left.mean()) == pytest.approx(0, abs=0.005)
        assert float(noise_left.std()) == pytest.approx(float(schedule.sigma(t_next)), rel=0.01)
    kept, _ = DPMSolverPP2M(0.0).step(denoiser, x, t, t_next, 0, no_noise)
    ddim, _ = DDIM().step(denoiser, x, t, t_next, 0, no_noise)
    torch.testing.assert_close(kept, ddim)


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_deterministic_samplers_draw_no_noise(name):
    schedule = RectifiedFlow()
    x = torch.randn(4, 2, generator=generator(2, "x"), dtype=torch.float64)
    steps = list(walk(mixture(schedule), x, step_times(5, schedule), SAMPLERS[name](), no_noise))
    assert torch.isfinite(steps[-1].x_next).all()


def test_guidance_rescale_restores_the_spread():
    schedule = RectifiedFlow()
    pictures = torch.randn(2, 1, 4, 4, generator=generator(3, "pictures"))
    towards, away = (ExactPictures(schedule, picture[None]) for picture in pictures)
    x, t = torch.zeros(1, 1, 4, 4), torch.tensor(0.5)
    plain = Guidance(towards, away, 4.0)(x, t)
    full = Guidance(towards, away, 4.0, rescale=1.0)(x, t)
    half = Guidance(towards, away, 4.0, rescale=0.5)(x, t)
    assert float(plain.std()) > 2 * float(pictures[0].std())
    torch.testing.assert_close(full.std(), pictures[0].std())
    torch.testing.assert_close(half, (plain + full) / 2)


def test_a_guided_mixture_is_pushed_away_from_the_weaker_answer():
    """Guidance from a broad Gaussian to a narrow one ends nearer the narrow one's mean."""
    schedule = RectifiedFlow()
    good = ExactGaussian(schedule, torch.tensor([MEAN], dtype=torch.float64), STD)
    weak = ExactGaussian(schedule, torch.tensor([MEAN], dtype=torch.float64), 2 * STD)
    x = torch.randn(2000, 1, generator=generator(4, "x"), dtype=torch.float64)
    times = step_times(50, schedule)
    spread = [
        float(list(walk(Guidance(good, weak, w), x, times, DDIM(), no_noise))[-1].x_next.std())
        for w in (1.0, 2.0)
    ]
    assert spread[0] == pytest.approx(STD, rel=0.05)
    assert spread[1] < 0.8 * spread[0]


@pytest.mark.parametrize("schedule_name", SCHEDULES)
@pytest.mark.parametrize("spacing", ["uniform", "quadratic", "karras", "trailing"])
@pytest.mark.parametrize("num_steps", [1, 2, 10])
def test_spacings_fall_from_noise_to_picture(schedule_name, spacing, num_steps):
    schedule = SCHEDULES[schedule_name]()
    times = step_times(num_steps, schedule, spacing, shift=1.5)
    assert len(times) == num_steps + 1
    assert times[0] == 1
    assert times[-1] == 0
    assert all(before > after for before, after in pairwise(times))


def test_karras_spacing_is_table_1():
    """On EDM's own schedule the sigmas are the paper's formula."""
    times = torch.tensor(step_times(18, EDM(), "karras"), dtype=torch.float64)
    sigmas = EDM().sigma(times)
    for i in (0, 5, 17):
        expected = (80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
        assert float(sigmas[i]) == pytest.approx(expected)
    quadratic = step_times(10, EDM(), "quadratic")
    assert quadratic[5] == pytest.approx(0.25)
    with pytest.raises(ValueError, match="at least one step"):
        step_times(0, EDM())
