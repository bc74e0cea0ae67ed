"""Step by step, DDIM, DDPM and DPM-Solver++ 2M take the steps that diffusers' schedulers take."""

from itertools import pairwise

import pytest
import torch

from imagespace.diffusion.denoiser import NetworkDenoiser
from imagespace.diffusion.samplers import DDIM, DDPM, DPMSolverPP2M
from imagespace.diffusion.schedule import DDPMLinear
from imagespace.randomness import generator

diffusers = pytest.importorskip("diffusers")
# It hands a tensor to numpy in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
BETAS = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
SPACING = {"timestep_spacing": "leading", "steps_offset": 0}


def network(x_t, t, condition):
    """A made-up noise prediction: nonlinear in x and t, so that no term of a step can hide."""
    return torch.tanh(x_t * (0.7 + t[:, None]) + condition) + 0.2 * torch.sin(3 * x_t)


def denoiser(condition):
    return NetworkDenoiser(network, DDPMLinear(), "eps", condition)


def exact_table(scheduler):
    """Their abar in float64: near step 0 float32 leaves 1 - abar with three digits."""
    beta = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    scheduler.alphas_cumprod = (1 - beta).cumprod(dim=0)
    return scheduler


def their_walk(scheduler, x, num_steps, condition, **options):
    """x after each step; their step n of 0..999 is our time (n + 1) / 1000."""
    exact_table(scheduler).set_timesteps(num_steps)
    visited = []
    for n in scheduler.timesteps:
        t = ((n + 1) / 1000).double().expand(len(x))
        x = scheduler.step(network(x, t, condition), n, x, **options).prev_sample
        visited.append(x)
    return scheduler.timesteps.tolist(), visited


def our_walk(sampler, x, timesteps, condition, noise):
    """The same steps in our times; their last step goes to abar = 1, our t = 0."""
    times = [(n + 1) / 1000 for n in timesteps] + [0.0]
    visited = []
    for index, (t, t_next) in enumerate(pairwise(times)):
        t, t_next = (torch.tensor(time, dtype=torch.float64) for time in (t, t_next))
        x, _ = sampler.step(denoiser(condition), x, t, t_next, index, noise)
        visited.append(x)
    return visited


@pytest.fixture
def start():
    x, condition = torch.randn(2, 3, 5, generator=generator(0, "x"), dtype=torch.float64)
    return x, condition


def assert_same_steps(ours, theirs):
    for mine, other in zip(ours, theirs, strict=True):
        assert float((mine - other).norm() / other.norm()) < 1e-4


@pytest.mark.parametrize("num_steps", [10, 50])
@pytest.mark.parametrize("eta", [0.0, 0.7])
def test_ddim(start, num_steps, eta):
    x, condition = start
    scheduler = diffusers.DDIMScheduler(
        **BETAS, **SPACING, clip_sample=False, set_alpha_to_one=True
    )
    fresh = [
        torch.randn(x.shape, generator=generator(1, "n", i), dtype=torch.float64)
        for i in range(num_steps)
    ]
    exact_table(scheduler).set_timesteps(num_steps)
    theirs, y = [], x
    for i, n in enumerate(scheduler.timesteps):
        t = ((n + 1) / 1000).double().expand(len(y))
        answer = network(y, t, condition)
        y = scheduler.step(answer, n, y, eta=eta, variance_noise=fresh[i]).prev_sample
        theirs.append(y)
    # At their last step abar_next is 1, and the variance is 0: as ours on arrival.
    ours = our_walk(DDIM(eta), x, scheduler.timesteps.tolist(), condition, lambda i: fresh[i])
    assert_same_steps(ours, theirs)


def test_ddpm(start, monkeypatch):
    x, condition = start
    scheduler = diffusers.DDPMScheduler(
        **BETAS, **SPACING, clip_sample=False, variance_type="fixed_small"
    )
    drawn = []

    def recorded(shape, **options):
        drawn.append(torch.randn(shape, generator=generator(2, "n", len(drawn))).double())
        return drawn[-1]

    monkeypatch.setattr("diffusers.schedulers.scheduling_ddpm.randn_tensor", recorded)
    timesteps, theirs = their_walk(scheduler, x, 50, condition)
    ours = our_walk(DDPM(), x, timesteps, condition, lambda i: drawn[i])
    assert_same_steps(ours, theirs)


@pytest.mark.parametrize("num_steps", [10, 50])
def test_dpm_solver_multistep(start, num_steps):
    x, condition = start
    scheduler = diffusers.DPMSolverMultistepScheduler(
        **BETAS,
        **SPACING,
        algorithm_type="dpmsolver++",
        solver_order=2,
        solver_type="midpoint",
        final_sigmas_type="zero",
        lower_order_final=False,
        euler_at_final=False,
    )
    timesteps, theirs = their_walk(scheduler, x, num_steps, condition)
    ours = our_walk(DPMSolverPP2M(), x, timesteps, condition, None)
    assert_same_steps(ours, theirs)


@pytest.mark.parametrize("num_steps", [10, 50])
def test_dpm_solver_sde(start, num_steps, monkeypatch):
    x, condition = start
    scheduler = diffusers.DPMSolverMultistepScheduler(
        **BETAS,
        **SPACING,
        algorithm_type="sde-dpmsolver++",
        solver_order=2,
        solver_type="midpoint",
        final_sigmas_type="zero",
    )
    drawn = []

    def recorded(shape, **options):
        drawn.append(torch.randn(shape, generator=generator(3, "n", len(drawn))))
        return drawn[-1]

    name = "diffusers.schedulers.scheduling_dpmsolver_multistep.randn_tensor"
    monkeypatch.setattr(name, recorded)
    timesteps, theirs = their_walk(scheduler, x.float(), num_steps, condition.float())
    ours = our_walk(DPMSolverPP2M(eta=1.0), x, timesteps, condition, lambda i: drawn[i].double())
    assert_same_steps(ours, theirs)
