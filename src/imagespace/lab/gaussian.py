"""Can a distribution be learnt from samples alone?

N(0.3, 0.5^2) on a line is learnt twice from the same samples: by maximum likelihood, which is told
that it is a Gaussian, and by diffusion, which is not. Both are compared with the truth by the
divergence KL(truth || learnt), an integral over the line: the diffusion model's density is exact in
one dimension (imagespace.diffusion.likelihood). It is known only with a little noise added, so
truth and fit are given the same noise (ratio 0.02). The third density is the perfect minimiser of
the training loss, which knows the samples by heart.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from imagespace.diffusion.exact import ExactGaussian, ExactPictures
from imagespace.diffusion.likelihood import likelihood
from imagespace.lab.figures import BLUE, GREEN, GREY, ORANGE, new_figure
from imagespace.lab.finding import Finding, Verdict
from imagespace.lab.laboratory import Laboratory
from imagespace.points import gaussian
from imagespace.training.point_data import train_and_held_out

MEAN, STD = 0.3, 0.5
NUM_SAMPLES = 1000
START_RATIO = 0.02
# Nats. Standard normal noise, where nothing has been learnt, is 0.36 from the truth.
SMALL_DIVERGENCE, LARGE_DIVERGENCE = 0.02, 0.1


def gaussian_divergence(mean: float, std: float, other_mean: float, other_std: float) -> float:
    """KL(N(mean, std^2) || N(other_mean, other_std^2)) in nats."""
    ratio = std / other_std
    shift = (mean - other_mean) / other_std
    return 0.5 * (ratio**2 + shift**2 - 1) - math.log(ratio)


def divergence(log_truth: Tensor, log_learnt: Tensor, spacing: float) -> float:
    """KL(truth || learnt) in nats from log densities [N] on an even grid, by the trapezoid rule."""
    integrand = log_truth.double().exp() * (log_truth.double() - log_learnt.double())
    return float(torch.trapezoid(integrand, dx=spacing))


def run(laboratory: Laboratory) -> Finding:
    """Learns the Gaussian in both ways, a few times from fresh samples."""
    num_repeats = laboratory.num(2, 4)
    num_seen = laboratory.num(500_000, 1_000_000)
    num_draws = laboratory.num(5_000, 50_000)
    rows: dict[str, list[float]] = {}
    densities: dict[str, Tensor] = {}
    grid = torch.empty(0)
    for repeat in range(num_repeats):
        samples = gaussian(NUM_SAMPLES, laboratory.random("gaussian/samples", repeat))
        model = replace(laboratory, seed=laboratory.seed + repeat).train_on_points(
            samples, num_seen
        )
        samples, _ = train_and_held_out(samples)  # what the diffusion model learnt from
        mean, std = float(samples.mean()), float(samples.std(correction=0))
        s = model.schedule.time_at(torch.tensor(START_RATIO))
        alpha, sigma = float(model.schedule.alpha(s)), float(model.schedule.sigma(s))

        def noised(std: float, alpha: float = alpha, sigma: float = sigma) -> float:
            return math.hypot(alpha * std, sigma)

        grid = alpha * MEAN + noised(STD) * torch.linspace(-5, 5, 401)[:, None]
        spacing = float(grid[1] - grid[0])
        truth = ExactGaussian(model.schedule, torch.tensor([MEAN]), STD).log_density(grid, s)
        found = likelihood(model.denoiser([""] * len(grid)), grid, START_RATIO, num_steps=32)
        learnt = found.log_probability
        by_heart = ExactPictures(model.schedule, samples).log_density(grid, s)
        drawn = model.sample(num_draws, laboratory.seed + repeat)
        densities = {"truth": truth, "diffusion": learnt, "by heart": by_heart}
        fitted = gaussian_divergence(alpha * MEAN, noised(STD), alpha * mean, noised(std))
        for name, value in {
            "maximum_likelihood_mean": mean,
            "maximum_likelihood_std": std,
            "maximum_likelihood_divergence": fitted,
            "diffusion_mean": float(drawn.mean()),
            "diffusion_std": float(drawn.std()),
            "diffusion_divergence": divergence(truth, learnt, spacing),
            "diffusion_total_probability": float(torch.trapezoid(learnt.exp(), dx=spacing)),
            "by_heart_divergence": divergence(truth, by_heart, spacing),
        }.items():
            rows.setdefault(name, []).append(value)

    means = {name: sum(values) / num_repeats for name, values in rows.items()}
    spread = torch.tensor(rows["diffusion_divergence"]).std() / num_repeats**0.5
    value, fitted = means["diffusion_divergence"], means["maximum_likelihood_divergence"]
    nothing = gaussian_divergence(MEAN, STD, 0.0, 1.0)
    verdict: Verdict
    if value <= SMALL_DIVERGENCE:
        verdict, words = "holds", "The diffusion model has learnt the distribution"
    elif value <= LARGE_DIVERGENCE:
        verdict, words = "holds partly", "The diffusion model has learnt the distribution roughly"
    else:
        verdict, words = "does not hold", "The diffusion model has not learnt the distribution"

    figure, (left, right) = new_figure(
        f"Left: densities learnt from {len(samples)} samples of N({MEAN}, {STD}$^2$) (marks), with "
        f"a pinch of noise (ratio {START_RATIO}); the last of {num_repeats} repetitions.\n"
        "Right: their distance from the truth. Maximum likelihood knows that it is a Gaussian; "
        "by heart: the samples themselves, the perfect minimiser of the training loss.",
        num_panels=2,
        panel_px=460,
    )
    xs = grid[:, 0].tolist()
    left.plot(xs, densities["by heart"].exp().tolist(), color=GREY, lw=0.6, label="by heart")
    left.plot(xs, densities["truth"].exp().tolist(), color=GREEN, lw=2.5, label="truth")
    left.plot(xs, densities["diffusion"].exp().tolist(), color=BLUE, label="diffusion")
    left.plot(samples[:, 0].tolist(), [-0.03] * len(samples), "|", color=ORANGE, ms=5, alpha=0.4)
    left.set_xlabel("x")
    left.set_ylabel("density")
    left.legend(fontsize=8)
    names = ("maximum_likelihood", "diffusion", "by_heart")
    for position, name in enumerate(names):
        values = rows[f"{name}_divergence"]
        right.plot([position] * num_repeats, values, "o", color=BLUE)
    right.axhline(nothing, color=GREY, ls="--", label="nothing learnt: N(0, 1)")
    right.set_yscale("log")
    right.set_xticks(range(3), ["maximum\nlikelihood", "diffusion", "by heart"])
    right.set_xlim(-0.5, 2.5)
    right.set_ylabel("KL(truth || learnt), nats")
    right.legend(fontsize=8)

    summary = (
        f"From {len(samples)} samples of N({MEAN}, {STD}^2), a diffusion model that is not told "
        f"what kind of distribution it is came to within {value:.4f} ± {float(spread):.4f} nats "
        f"of the truth (KL divergence; mean and standard error over {num_repeats} repetitions "
        f"with fresh samples). {words} by the rule of this experiment: {SMALL_DIVERGENCE} nats "
        f"or less is learnt, more than {LARGE_DIVERGENCE} is not. Maximum likelihood, which is "
        f"told that it is a Gaussian and needs two averages, came to {fitted:.4f}; having learnt "
        f"nothing is {nothing:.2f}. Its draws have mean {means['diffusion_mean']:.3f} and standard "
        f"deviation {means['diffusion_std']:.3f}, the samples "
        f"{means['maximum_likelihood_mean']:.3f} "
        f"and {means['maximum_likelihood_std']:.3f}. Samples alone are not the whole story: the "
        f"perfect minimiser of the training loss knows the samples by heart and is "
        f"{means['by_heart_divergence']:.3f} nats from the truth. Bumps of the learnt density in "
        "the figure are clumps of samples that it has remembered: what is put between the samples "
        "is decided by the smoothness of the network, the number of samples and the end of "
        "training, not by the loss."
    )
    return Finding(
        verdict=verdict,
        quantity="KL divergence of the truth from the diffusion model",
        value=value,
        uncertainty=float(spread),
        unit="nats",
        summary=summary,
        figure=figure,
        numbers=rows
        | {
            "nothing_learnt_divergence": nothing,
            "num_repeats": num_repeats,
            "num_samples": len(samples),
            "num_points_seen": num_seen,
            "num_draws": num_draws,
            "start_ratio": START_RATIO,
        },
    )
