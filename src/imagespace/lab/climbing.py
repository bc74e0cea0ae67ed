"""Does following the field climb log probability?

Along the flow d log p_t(x_t) / dt = -div v, so that log p_t(x_t) can be followed on any walk.
Eight Gaussians in the plane, where everything is exact: log p_t(x_t) along walks with and without
noise, beside its mean over fresh draws from p_t; log p_0 of the model's answer x0_hat; and plain
gradient ascent on log p_t at a fixed t. The glyph model: with
v = (sigma'/sigma) x + (alpha' - sigma' alpha / sigma) x0_hat,

    div v = d sigma'/sigma + (alpha' - sigma' alpha / sigma) tr(d x0_hat / d x),

the trace by random signs (Hutchinson 1990), as in diffusion/likelihood.py.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser
from imagespace.diffusion.exact import ExactMixture
from imagespace.diffusion.likelihood import random_signs
from imagespace.diffusion.samplers import DDIM, DDPM, Heun, Sampler, Step
from imagespace.diffusion.schedule import RectifiedFlow, Schedule
from imagespace.diffusion.spacing import step_times
from imagespace.evaluation.nouns import NOUNS
from imagespace.lab.ascent import ascent
from imagespace.lab.figures import BLUE, GREEN, GREY, ORANGE, new_figure
from imagespace.lab.finding import Finding, Verdict
from imagespace.lab.laboratory import Laboratory
from imagespace.lab.standard_errors import mean_and_error
from imagespace.lab.walks import all_steps, start_noise
from imagespace.points import GAUSSIANS_STD, gaussian_centres

NUM_PLANE_STEPS = 100
LAST_PLANE_TIME = 0.02
NUM_GLYPH_STEPS = 20
NUM_PROBES = 2
FIXED_TIME = 0.3
ROUNDING = 1e-9  # nats
NEARLY_ALL = 0.99  # of the steps rise: the claim holds
MOST = 0.9  # of the steps rise, somewhere: it holds partly


def growth_rate(schedule: Schedule, time: float) -> float:
    """sigma' / sigma: the flow's divergence per dimension where x0_hat does not move with x."""
    t = torch.tensor(time, dtype=torch.float64)
    return float(schedule.rates(t)[1] / schedule.sigma(t))


def flow_divergence(denoiser: Denoiser, x_t: Tensor, time: float, probes: Tensor) -> Tensor:
    """Estimates of div v at x_t [B, ...], one for each of the probes [K, B, ...]: [K, B]."""
    t = x_t.new_tensor(time)
    schedule = denoiser.schedule
    alpha_rate, sigma_rate = schedule.rates(t)
    growth = sigma_rate / schedule.sigma(t)
    with torch.enable_grad():
        x = x_t.detach().clone().requires_grad_()
        x0_hat = denoiser(x, t)
        traces = []
        for number, probe in enumerate(probes):
            keep = number + 1 < len(probes)
            (product,) = torch.autograd.grad(x0_hat, x, probe, retain_graph=keep)
            traces.append((product * probe).flatten(1).sum(dim=1))
    factor = alpha_rate - growth * schedule.alpha(t)
    return x_t[0].numel() * growth + factor * torch.stack(traces)


def run(laboratory: Laboratory) -> Finding:
    """The share of steps at which log p_t(x_t) rises, in the plane and for glyphs."""
    flow = RectifiedFlow()
    centres = gaussian_centres(8).double()
    mixture = ExactMixture(flow, centres, torch.full((8,), GAUSSIANS_STD, dtype=torch.float64))
    num_plane = laboratory.num(1000, 10000)
    random = laboratory.random("climbing/plane")
    x_1 = torch.randn(num_plane, 2, generator=random, dtype=torch.float64)
    kept = 1 - LAST_PLANE_TIME
    times = [LAST_PLANE_TIME + kept * t for t in step_times(NUM_PLANE_STEPS, flow)]

    def noise(index: int) -> Tensor:
        draws = laboratory.random("climbing/step", index)
        return torch.randn(num_plane, 2, generator=draws, dtype=torch.float64)

    def walked(sampler: Sampler) -> tuple[list[Step], Tensor]:
        steps = all_steps(mixture, x_1, times, sampler, noise)
        heights = [_height(mixture, step.x_t, step.t) for step in steps]
        return steps, torch.stack([*heights, _height(mixture, steps[-1].x_next, times[-1])])

    steps, along_flow = walked(Heun())
    _, with_noise = walked(DDPM())
    clean = mixture.sample(num_plane, random)
    typical = torch.stack(
        [
            _height(
                mixture, flow.add_noise(clean, noise(NUM_PLANE_STEPS + i), at), float(at)
            ).mean()
            for i, at in enumerate(torch.tensor(times, dtype=torch.float64))
        ]
    )
    answers = torch.stack([_height(mixture, step.x0_hat, 0.0) for step in steps])
    fixed = flow.add_noise(clean, noise(-1), torch.tensor(FIXED_TIME, dtype=torch.float64))
    climbed = ascent(mixture, fixed, FIXED_TIME, 0.5, 20)
    fixed_heights = torch.stack([_height(mixture, point, FIXED_TIME) for point in climbed])

    flow_share, noise_share, fixed_share = (
        float((heights.diff(dim=0) > -ROUNDING).double().mean())
        for heights in (along_flow, with_noise, fixed_heights)
    )
    never_fall = float((along_flow.diff(dim=0) > -ROUNDING).all(dim=0).double().mean())
    above_typical, above_error = mean_and_error((along_flow[-1] - typical[-1]).numpy())

    num_glyphs = laboratory.num(6, 32)
    glyph_times, rates, spreads = _glyph_walks(laboratory, num_glyphs)
    # Nearer to zero than twice the estimate's own error, the sign is not known: counted as a fall.
    glyph_share = float((rates > 2 * spreads).mean())
    # What noise alone would gain: a cloud that only shrinks, in every direction, as sigma does.
    # That part of the integral is known; only the network's part is summed over the steps.
    num_dimensions = math.prod(laboratory.model.config.network.sample_shape)
    sigma = laboratory.model.schedule.sigma(torch.tensor(glyph_times, dtype=torch.float64)).numpy()
    shrinking = np.log2(sigma[0] / sigma)
    growth = np.array([growth_rate(laboratory.model.schedule, t) for t in glyph_times])
    resisted = rates / (num_dimensions * math.log(2)) - growth[:, None] / math.log(2)
    steps_down = -np.diff(glyph_times)[:, None]
    lost = ((resisted[1:] + resisted[:-1]) / 2 * steps_down).cumsum(axis=0)
    climb = shrinking[:, None] + np.concatenate([np.zeros((1, num_glyphs)), lost])
    gain, gain_error = mean_and_error(climb[-1])

    verdict: Verdict = "does not hold"
    if min(flow_share, glyph_share) >= NEARLY_ALL:
        verdict = "holds"
    elif max(flow_share, glyph_share) >= MOST:
        verdict = "holds partly"
    rose = float(fixed_heights[-1].mean() - fixed_heights[0].mean())
    summary = (
        f"Along {num_glyphs} unguided walks of the glyph model, log p_t(x_t) rises at "
        f"{glyph_share:.1%} of the times where its slope was estimated, by {gain:.2f} bits per "
        f"pixel (standard error {gain_error:.3f} over walks) from t = {glyph_times[0]:g} to "
        f"{glyph_times[-1]:g}. That is no climb towards better pictures: a cloud of noise that "
        f"merely shrinks gains {shrinking[-1]:.2f} over the same times, because a narrower density "
        f"is higher wherever it lies. In the plane with eight Gaussians, where all is exact, "
        f"log p_t(x_t) rises at {flow_share:.1%} of the flow's steps (standard error over walks), "
        f"{never_fall:.0%} of {num_plane} walks never fall, and with noise it rises at "
        f"{noise_share:.0%} of the steps. The flow ends {above_typical:+.2f} nats (standard error "
        f"{above_error:.2f}) from the mean of fresh draws at that noise: walks end at typical "
        f"points, not on peaks. Gradient ascent on a fixed log p_t (t = {FIXED_TIME:g}) does "
        f"climb, at {fixed_share:.1%} of its steps and by {rose:.2f} nats above typical points; "
        f"but that is another procedure, and not how pictures are drawn. The answer x0_hat is at "
        f"first a mean of everything and improbable itself: its log p_0 is "
        f"{float(answers[0].median()):.0f} nats at t = 1 and {float(answers[-1].median()):.1f} at "
        f"the last step (median). For the glyphs the heights of fresh draws are not known, and the "
        f"trace is an estimate with {NUM_PROBES} random probes."
    )
    figure, (left, right) = new_figure(
        f"Left: eight Gaussians in the plane, exact; log p_t(x_t) along {num_plane} walks (lines: "
        f"mean; band: the flow's 5 to 95 %; thin: four walks of the flow) and for fresh draws. "
        f"Right: {num_glyphs} walks of the glyph model, gain since t = {glyph_times[0]:g}.",
        2,
    )
    low, high = np.quantile(along_flow.numpy(), [0.05, 0.95], axis=1)
    left.fill_between(times, low, high, color=BLUE, alpha=0.15)
    left.plot(times, along_flow[:, :4], color=BLUE, linewidth=0.6, alpha=0.7)
    left.plot(times, along_flow.mean(dim=1), color=BLUE, label="flow")
    left.plot(times, with_noise.mean(dim=1), color=ORANGE, linestyle="--", label="with noise")
    left.plot(times, typical, color=GREY, linestyle=":", linewidth=2, label="fresh draws")
    left.set(xlabel="time t (1 = noise)", ylabel="log p_t(x_t) (nats)")
    right.plot(glyph_times, climb, color=GREEN, linewidth=0.8)
    right.plot([], [], color=GREEN, label="glyph model, each walk")
    right.plot(glyph_times, shrinking, color=GREY, linestyle=":", label="noise that only shrinks")
    right.set(xlabel="time t (1 = noise)", ylabel="gain of log p_t(x_t) (bits per pixel)")
    for axis in (left, right):
        axis.invert_xaxis()
        axis.legend(fontsize=7)
    return Finding(
        verdict=verdict,
        quantity="steps of the exact flow in the plane at which log p_t(x_t) rises",
        value=100 * flow_share,
        uncertainty=100 * _walk_error(along_flow),
        unit="%",
        summary=summary,
        figure=figure,
        numbers={
            "num_plane_walks": num_plane,
            "num_plane_steps": NUM_PLANE_STEPS,
            "plane_rising_share_flow": flow_share,
            "plane_rising_share_with_noise": noise_share,
            "plane_walks_that_never_fall": never_fall,
            "plane_end_above_fresh_draws_nats": [above_typical, above_error],
            "plane_mean_log_p_flow": along_flow.mean(dim=1).tolist(),
            "plane_mean_log_p_with_noise": with_noise.mean(dim=1).tolist(),
            "plane_mean_log_p_fresh": typical.tolist(),
            "plane_median_log_p0_of_x0_hat": answers.median(dim=1).values.tolist(),
            "plane_times": times,
            "fixed_time": FIXED_TIME,
            "fixed_time_rising_share": fixed_share,
            "fixed_time_mean_log_p": fixed_heights.mean(dim=1).tolist(),
            "num_glyph_walks": num_glyphs,
            "num_probes": NUM_PROBES,
            "glyph_rising_share": glyph_share,
            "glyph_gain_bits_per_pixel": [gain, gain_error],
            "shrinking_gain_bits_per_pixel": float(shrinking[-1]),
            "glyph_times": glyph_times,
            "glyph_mean_gain_bits_per_pixel": climb.mean(axis=1).tolist(),
        },
    )


def _height(mixture: ExactMixture, x_t: Tensor, time: float) -> Tensor:
    """log p_t(x_t) [B]."""
    return mixture.log_density(x_t, x_t.new_tensor(time))


def _walk_error(heights: Tensor) -> float:
    """The standard error, over walks, of the share of steps that rise in heights [steps, B]."""
    return mean_and_error((heights.diff(dim=0) > -ROUNDING).double().mean(dim=0).numpy())[1]


def _glyph_walks(
    laboratory: Laboratory, num: int
) -> tuple[list[float], NDArray[np.float64], NDArray[np.float64]]:
    """Times, and the slope of log p_t(x_t) as t falls with its error, nats [times, walks]."""
    prompts = [NOUNS[i % len(NOUNS)].prompt for i in range(num)]
    denoiser = laboratory.model.denoiser(prompts)
    x_1 = start_noise(laboratory, "climbing", range(num))
    steps = all_steps(denoiser, x_1, step_times(NUM_GLYPH_STEPS, denoiser.schedule), DDIM())
    slopes = []
    for step in steps:
        probes = random_signs(
            (NUM_PROBES, *x_1.shape), laboratory.random("climbing/probe", step.index)
        )
        slopes.append(flow_divergence(denoiser, step.x_t, step.t, probes))
    estimates = torch.stack(slopes).double()
    errors = estimates.std(dim=1) / NUM_PROBES**0.5
    return [step.t for step in steps], estimates.mean(dim=1).numpy(), errors.numpy()
