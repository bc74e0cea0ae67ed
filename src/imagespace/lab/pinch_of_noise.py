"""Is a pinch of noise needed at each step?

Glyphs: deterministic and stochastic samplers at equal numbers of steps and from the same noise,
by the share of pictures in which the judge reads the noun's radical. The plane: 25 unequal
Gaussians with their exact field, where the shares of the modes and the spread within them have
known values. What the saying may have meant: gradient ascent on log p_t at one fixed small t,
without noise, which in the plane must end on the peaks; and what it makes of real glyphs.
"""

from collections.abc import Callable
from typing import TypedDict

import numpy as np
import torch
from matplotlib.patches import Patch
from torch import Tensor

from imagespace.diffusion.exact import ExactMixture
from imagespace.diffusion.samplers import (
    DDIM,
    DDPM,
    DPMSolverPP2M,
    DPMSolverPP2MSDE,
    Heun,
    Sampler,
)
from imagespace.diffusion.schedule import RectifiedFlow
from imagespace.diffusion.spacing import karras, step_times
from imagespace.lab.ascent import ascent
from imagespace.lab.figures import BLUE, GREY, ORANGE, new_figure, show_pictures
from imagespace.lab.finding import Finding, Verdict
from imagespace.lab.ink import grey_share, ink_share
from imagespace.lab.laboratory import Laboratory
from imagespace.lab.noun_hits import hits, noun_pictures
from imagespace.lab.standard_errors import mean_and_error, share_and_error
from imagespace.lab.walks import end_of_walk, rms
from imagespace.pictures.split import TRAIN
from imagespace.pipeline import to_pixels
from imagespace.points import GAUSSIANS_STD, gaussian_centres

NUM_STEPS = 16
GLYPH_SAMPLERS: dict[str, Callable[[], Sampler]] = {
    "ddim, eta 0": DDIM,
    "ddim, eta 0.5": lambda: DDIM(0.5),
    "ddpm (eta 1)": DDPM,
    "dpmpp_2m": DPMSolverPP2M,
    "dpmpp_2m_sde": DPMSolverPP2MSDE,
}
WITHOUT_AND_WITH = (("ddim, eta 0", "ddpm (eta 1)"), ("dpmpp_2m", "dpmpp_2m_sde"))
ASCENT_TIMES = (0.3, 0.95)
ASCENT_SIZE = 0.5  # of sigma_t^2
NUM_ASCENT_STEPS = 24
PLANE_ASCENT_TIME = 0.05
NUM_PLANE_STEPS = 100
CLEARLY = 2.0  # standard errors
SPREAD_TOLERANCE = 0.1  # of the standard deviation within a mode: the flow is right to this


def mode_shares_and_spread(points: Tensor, centres: Tensor) -> tuple[Tensor, float]:
    """The share of points [N, 2] nearest to each centre [K], and their spread about it.

    The spread is the root mean square deviation of a coordinate from the nearest centre.
    """
    distance, nearest = torch.cdist(points, centres).min(dim=1)
    shares = torch.bincount(nearest, minlength=len(centres)) / len(points)
    return shares, float((distance.square().mean() / points.shape[1]).sqrt())


def run(laboratory: Laboratory) -> Finding:
    """Hits with and without noise; shares and spread in the plane; what ascent ends on."""
    model = laboratory.model
    sampling = model.config.sampling
    num_nouns, num_per_noun = laboratory.num(10, 20), laboratory.num(2, 4)
    times = step_times(NUM_STEPS, model.schedule, sampling.spacing, sampling.time_shift)
    read = {}
    for name, sampler in GLYPH_SAMPLERS.items():
        drawn = noun_pictures(
            laboratory, num_nouns, num_per_noun, sampler, times, sampling.guidance
        )
        read[name] = hits(laboratory, drawn)
    rates = {name: share_and_error(hit) for name, hit in read.items()}
    differences = np.concatenate(
        [read[noisy].astype(float) - read[plain] for plain, noisy in WITHOUT_AND_WITH]
    )
    gain, gain_error = mean_and_error(differences)

    plane = _in_the_plane(laboratory)
    flow_spread = plane["flow"]["spread"] / GAUSSIANS_STD
    climb_spread = plane["ascent"]["spread"] / GAUSSIANS_STD
    real, peaks = _climb_glyphs(laboratory)
    ink = [float(ink_share(x).mean()) for x in (real, *peaks)]
    grey = [float(grey_share(x).mean()) for x in (real, *peaks)]
    apart = [float(rms(x - x.roll(1, dims=0)).mean()) for x in (real, *peaks)]
    radicals = laboratory.judge.predict(to_pixels(real))
    kept = [share_and_error(laboratory.judge.predict(to_pixels(x)) == radicals) for x in peaks]

    helps = gain > CLEARLY * gain_error
    flow_is_right = (
        abs(flow_spread - 1) < SPREAD_TOLERANCE and plane["flow"]["shares_off"] < SPREAD_TOLERANCE
    )
    verdict: Verdict = "does not hold"
    if not flow_is_right:
        verdict = "holds"
    elif helps:
        verdict = "holds partly"
    best_plain = max(rates[plain][0] for plain, _ in WITHOUT_AND_WITH)
    num = num_nouns * num_per_noun
    summary = (
        f"With the exact field of 25 unequal Gaussians in the plane, a deterministic flow of "
        f"{NUM_PLANE_STEPS} steps gives every mode its share (total variation "
        f"{plane['flow']['shares_off']:.3f}; as many fresh draws have "
        f"{plane['fresh']['shares_off']:.3f}) and {flow_spread:.2f} of the right spread within "
        f"them; with noise the spread is {plane['noise']['spread'] / GAUSSIANS_STD:.2f}. So noise "
        f"is not needed in principle. What needs noise is another procedure, ascent on log p_t at "
        f"one t: without noise (t = {PLANE_ASCENT_TIME:g}) it ends on the peaks themselves, with "
        f"{climb_spread:.3f} of the spread. On {num} glyphs a sampler, {NUM_STEPS} steps each, the "
        f"judge reads the noun's radical in {rates['ddim, eta 0'][0]:.0%} with ddim, "
        f"{rates['ddim, eta 0.5'][0]:.0%} with half of the noise and "
        f"{rates['ddpm (eta 1)'][0]:.0%} with all of it; dpmpp_2m has {rates['dpmpp_2m'][0]:.0%} "
        f"and with noise {rates['dpmpp_2m_sde'][0]:.0%}. All of the noise against none is worth "
        f"{100 * gain:+.1f} points (standard error {100 * gain_error:.1f}, pairs from one start), "
        f"{'a clear gain' if helps else 'no clear gain in a sample of this size'}; the radical is "
        f"read in {best_plain:.0%} without any, so here too noise is at most a help, by letting "
        f"later steps mend the errors of earlier ones. Such ascent from {len(real)} real glyphs "
        f"with noise added ends, at t = {ASCENT_TIMES[0]:g}, on the same radical in "
        f"{kept[0][0]:.0%}, the ends {apart[1]:.2f} (root mean square) from each other and with "
        f"{ink[1]:.1%} of ink (real glyphs: {apart[0]:.2f} and {ink[0]:.1%}); at "
        f"t = {ASCENT_TIMES[1]:g} in {kept[1][0]:.0%}, {apart[2]:.2f} from each other and with "
        f"{ink[2]:.1%} of ink. The judge sees radicals only, not whether strokes wobble."
    )
    figure, (left, middle, right) = new_figure(
        f"Left: {num} pictures of {num_nouns} nouns for each sampler, {NUM_STEPS} steps (bars: one "
        f"binomial standard error). Middle: a mode of 25 in the plane; ends of the flow and of "
        f"ascent at t = {PLANE_ASCENT_TIME:g} without noise. Right: real glyphs, and what such "
        f"ascent makes of them.",
        3,
        370,
    )
    names = list(GLYPH_SAMPLERS)
    measured = np.array([rates[name] for name in names])
    plain_names = {plain for plain, _ in WITHOUT_AND_WITH}
    left.barh(
        names,
        measured[:, 0],
        xerr=measured[:, 1],
        color=[BLUE if name in plain_names else ORANGE for name in names],
        capsize=2,
    )
    left.set(xlabel="share with the noun's radical", xlim=(0, 1.1))
    left.invert_yaxis()
    kinds = [Patch(color=BLUE, label="without noise"), Patch(color=ORANGE, label="with noise")]
    left.legend(handles=kinds, fontsize=7, loc="lower left")
    for name, colour, label in (
        ("fresh", GREY, "fresh draws"),
        ("flow", BLUE, "flow, no noise"),
        ("ascent", ORANGE, "ascent, no noise"),
    ):
        ends = plane[name]["ends"]
        middle.scatter(ends[:, 0], ends[:, 1], s=6, color=colour, label=label, alpha=0.7)
    middle.set(xlabel="x", ylabel="y", xlim=(-0.25, 0.25), ylim=(-0.25, 0.25))
    middle.legend(fontsize=7)
    shown = torch.cat([real[:6], *(x[:6] for x in peaks)])
    labels = ("real", *(f"t = {t:g}" for t in ASCENT_TIMES))
    show_pictures(right, to_pixels(shown), min(6, len(real)), labels)
    return Finding(
        verdict=verdict,
        quantity="gain of the noun's radical from noise at every step",
        value=100 * gain,
        uncertainty=100 * gain_error,
        unit="points",
        summary=summary,
        figure=figure,
        numbers={
            "num_pictures_each": num,
            "num_steps": NUM_STEPS,
            "hits": {name: list(rate) for name, rate in rates.items()},
            "gain": [gain, gain_error],
            "plane_num": len(plane["flow"]["ends"]),
            "plane_shares_off": {name: part["shares_off"] for name, part in plane.items()},
            "plane_spread_over_true": {
                name: part["spread"] / GAUSSIANS_STD for name, part in plane.items()
            },
            "ascent_times": list(ASCENT_TIMES),
            "num_ascent_steps": NUM_ASCENT_STEPS,
            "num_ascents": len(real),
            "ink_real_then_ascents": ink,
            "grey_real_then_ascents": grey,
            "rms_apart_real_then_ascents": apart,
            "radical_kept_by_ascents": [list(pair) for pair in kept],
        },
    )


class PlaneEnds(TypedDict):
    """Ends [N, 2], how far their modes' shares are off (total variation), their spread."""

    ends: Tensor
    shares_off: float
    spread: float


def _in_the_plane(laboratory: Laboratory) -> dict[str, PlaneEnds]:
    """25 Gaussians, the likeliest three times as likely as the rarest: what each way ends on."""
    flow, centres = RectifiedFlow(), gaussian_centres(25).double()
    probabilities = torch.linspace(1, 3, 25, dtype=torch.float64)
    stds = torch.full((25,), GAUSSIANS_STD, dtype=torch.float64)
    mixture = ExactMixture(flow, centres, stds, probabilities)
    num = laboratory.num(4000, 40000)

    def noise(index: int) -> Tensor:
        random = laboratory.random("pinch_of_noise/plane", index)
        return torch.randn(num, 2, generator=random, dtype=torch.float64)

    x_1, times = noise(-1), karras(NUM_PLANE_STEPS, flow)
    fresh = mixture.sample(num, laboratory.random("pinch_of_noise/fresh"))
    t = torch.tensor(PLANE_ASCENT_TIME, dtype=torch.float64)
    x_t = flow.add_noise(fresh, noise(-2), t)
    ends = {
        "fresh": fresh,
        "flow": end_of_walk(mixture, x_1, times, Heun()),
        "noise": end_of_walk(mixture, x_1, times, DDPM(), noise),
        # The density's peaks at time t are those at 0, shrunk by alpha_t.
        "ascent": ascent(mixture, x_t, PLANE_ASCENT_TIME, ASCENT_SIZE, 200)[-1] / flow.alpha(t),
    }
    measured: dict[str, PlaneEnds] = {}
    for name, points in ends.items():
        shares, spread = mode_shares_and_spread(points, centres)
        off = float((shares - probabilities / probabilities.sum()).abs().sum() / 2)
        measured[name] = PlaneEnds(ends=points, shares_off=off, spread=spread)
    return measured


def _climb_glyphs(laboratory: Laboratory) -> tuple[Tensor, list[Tensor]]:
    """Real training glyphs, and where ascent from them ends, begun with the noise of its time."""
    model = laboratory.model
    real = laboratory.real(laboratory.rows(TRAIN, laboratory.num(8, 48)))
    eps = laboratory.noise("pinch_of_noise/real", tuple(real.shape))
    denoiser, peaks = model.denoiser([""] * len(real)), []
    for time in ASCENT_TIMES:
        t = torch.tensor(time)
        x_t = model.schedule.add_noise(real, eps, t)
        peak = ascent(denoiser, x_t, time, ASCENT_SIZE, NUM_ASCENT_STEPS)[-1]
        peaks.append(peak / model.schedule.alpha(t))
    return real, peaks
