"""Would a GAN do as well?

Twenty-five equal Gaussians on a grid are learnt by a diffusion model and by a GAN (gan.py) from the
same points. Both have about the same number of parameters and read the same number of points,
which counts alike on any machine; a GAN's step costs more arithmetic, so this leans its way.
Measured on fresh draws: a mode counts as covered if at least 1 draw in 250, a tenth of its share,
lies within three standard deviations of its centre; a draw is good if it lies that near any centre;
the balance is KL(share of each mode || uniform) with every draw counted to its nearest centre. A
smear, even over the square [-1, 1]^2, covers all modes in perfect balance, and 44 % of it is good:
what lies between that and the diffusion model is the scale on which the GAN is placed. Unless
quick, both also learn real glyphs (glyph_rivals.py); that comparison does not enter the verdict.
"""

import math
import time
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imagespace.lab.figures import BLUE, GREEN, GREY, ORANGE, new_figure
from imagespace.lab.finding import Finding, Verdict
from imagespace.lab.gan import Gan, GanConfig, point_networks
from imagespace.lab.glyph_rivals import GlyphRivals, compare_on_glyphs
from imagespace.lab.laboratory import Laboratory
from imagespace.lab.standard_errors import mean_and_error
from imagespace.points import GAUSSIANS_STD, NUM_POINTS, gaussian_centres, gaussians_25
from imagespace.training.point_data import train_and_held_out

NUM_MODES = 25
GOOD_STDS = 3.0
COVERED_SHARE = 1 / 250
# A GAN does as well if it is no worse than this; the share of good draws by chance of the truth
# is 1 - exp(-9/2) = 98.9 %.
GOOD_MARGIN, BALANCE_MARGIN = 0.02, 0.02
SMEAR_GOOD_SHARE = NUM_MODES * math.pi * (GOOD_STDS * GAUSSIANS_STD) ** 2 / 4


def mode_report(draws: Tensor, centres: Tensor, std: float) -> dict[str, float]:
    """Modes covered, share of good draws, KL(mode shares || uniform) in nats, of draws [N, D]."""
    distance, nearest = torch.cdist(draws, centres).min(dim=1)
    good = distance <= GOOD_STDS * std
    near = torch.bincount(nearest[good], minlength=len(centres)) / len(draws)
    shares = torch.bincount(nearest, minlength=len(centres)).double() / len(draws)
    balance = torch.special.entr(shares).sum()  # -p log p, 0 at p = 0
    return {
        "modes_covered": float((near >= COVERED_SHARE).sum()),
        "good_share": float(good.double().mean()),
        "balance": math.log(len(centres)) - float(balance),
    }


def run(laboratory: Laboratory) -> Finding:
    """Trains both a few times and compares their draws."""
    num_seeds = laboratory.num(2, 3)
    num_seen = laboratory.num(400_000, 1_500_000)
    num_draws = laboratory.num(5_000, 50_000)
    centres = gaussian_centres(NUM_MODES)
    names = ("data", "diffusion", "GAN")
    rows: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    num_parameters: dict[str, int] = {}
    draws: dict[str, Tensor] = {}
    for number in range(num_seeds):
        points = gaussians_25(NUM_POINTS, laboratory.random("adversarial/points", number))
        own = replace(laboratory, seed=laboratory.seed + number)
        started = time.perf_counter()
        model = own.train_on_points(points, num_seen)
        diffusion_s = time.perf_counter() - started
        gan = Gan(GanConfig(), lambda config: point_networks(config, 2), own.seed)
        started = time.perf_counter()
        gan.train(train_and_held_out(points)[0], num_seen)  # what the diffusion model learnt from
        gan_s = time.perf_counter() - started
        num_parameters = {
            "diffusion": sum(p.numel() for p in model.network.parameters()),
            "GAN": gan.num_parameters,
        }
        draws = {
            "data": gaussians_25(num_draws, laboratory.random("adversarial/data", number)),
            "diffusion": model.sample(num_draws, own.seed),
            "GAN": gan.sample(num_draws, laboratory.random("adversarial/draws", number)),
        }
        seconds = {"data": 0.0, "diffusion": diffusion_s, "GAN": gan_s}
        for name in names:
            report = mode_report(draws[name], centres, GAUSSIANS_STD)
            for key, value in (report | {"training_seconds": seconds[name]}).items():
                rows[name].setdefault(key, []).append(value)

    found = {
        name: {key: mean_and_error(values) for key, values in row.items()}
        for name, row in rows.items()
    }
    rivals = None if laboratory.quick else compare_on_glyphs(laboratory)
    ours, rival = ({key: pair[0] for key, pair in found[name].items()} for name in names[1:])
    as_many = rival["modes_covered"] >= ours["modes_covered"]
    as_good = rival["good_share"] >= ours["good_share"] - GOOD_MARGIN
    as_even = rival["balance"] <= ours["balance"] + BALANCE_MARGIN
    halfway = (SMEAR_GOOD_SHARE + ours["good_share"]) / 2
    verdict: Verdict
    if as_many and as_good and as_even:
        verdict, words = "holds", "The GAN did as well in all three"
    elif as_many and rival["good_share"] >= halfway:
        verdict = "holds partly"
        words = "The GAN found all that the diffusion model found, and its draws are nearer to it"
        words += " than to a smear, but it did not do as well"
    else:
        verdict = "does not hold"
        words = (
            "The GAN covered the modes, but its draws are nearer to a smear than to the other's"
            if as_many
            else "The GAN missed modes that the diffusion model covered"
        )

    figure, (left, middle, right) = new_figure(
        "Draws of both models, trained with the same number of parameters and points (left, "
        f"middle; {num_draws // 5:,} draws of the last seed; circles: three standard deviations).\n"
        f"Right: share of draws within the circles, for each of {num_seeds} seeds, and of the data "
        "themselves; beside it the modes covered, of 25.",
        num_panels=3,
    )
    colours = {"data": GREEN, "diffusion": BLUE, "GAN": ORANGE}
    for axis, name in ((left, "diffusion"), (middle, "GAN")):
        shown = draws[name][: num_draws // 5].numpy()
        axis.plot(shown[:, 0], shown[:, 1], ".", ms=1.5, color=colours[name])
        angle = np.linspace(0, 2 * np.pi, 60)
        radius = GOOD_STDS * GAUSSIANS_STD
        for x, y in centres.tolist():
            circle = (x + radius * np.cos(angle), y + radius * np.sin(angle))
            axis.plot(*circle, color=GREY, lw=0.6)
        axis.set_title(name)
        axis.set_xlim(-1.3, 1.3)
        axis.set_ylim(-1.3, 1.3)
        axis.set_aspect("equal")
        axis.set_xlabel("x")
        axis.set_ylabel("y")
    for position, name in enumerate(names):
        good = rows[name]["good_share"]
        right.plot([position] * num_seeds, good, "o", color=colours[name])
        modes = found[name]["modes_covered"][0]
        right.text(position + 0.12, good[-1], f"{modes:g} modes", va="center", fontsize=8)
    right.axhline(SMEAR_GOOD_SHARE, color=GREY, ls="--", label="an even smear")
    right.legend(fontsize=8, loc="lower left")
    right.set_xticks(range(len(names)), names)
    right.set_xlim(-0.4, 2.9)
    right.set_ylim(0, 1.05)
    right.set_ylabel("share of draws near a centre")

    def said(name: str, key: str, scale: float = 1.0, digits: int = 2) -> str:
        value, error = found[name][key]
        return f"{scale * value:.{digits}f} ± {scale * error:.{digits}f}"

    summary = (
        f"On 25 Gaussians in the plane, with {num_parameters['diffusion']:,} parameters against "
        f"{num_parameters['GAN']:,} and {num_seen:,} points read by each, the diffusion model "
        f"covered {said('diffusion', 'modes_covered', digits=1)} modes and the GAN "
        f"{said('GAN', 'modes_covered', digits=1)} (mean and standard error over {num_seeds} "
        f"seeds). Of the draws {said('diffusion', 'good_share', 100, 1)} % against "
        f"{said('GAN', 'good_share', 100, 1)} % lie within three standard deviations of a centre "
        f"({said('data', 'good_share', 100, 1)} % of the data do, and "
        f"{100 * SMEAR_GOOD_SHARE:.0f} % "
        f"of an even smear over the square), and the shares of the modes are "
        f"{said('diffusion', 'balance', digits=4)} against {said('GAN', 'balance', digits=4)} nats "
        f"from equal. {words} (margins: {100 * GOOD_MARGIN:.0f} % of the draws, {BALANCE_MARGIN} "
        f"nats). Training took {ours['training_seconds']:.0f} and {rival['training_seconds']:.0f} "
        "s here. The GAN draws in one pass of its network where the diffusion model takes about "
        f"{2 * model.config.sampling.num_steps - 1}: that is its advantage. Its settings were "
        "chosen by hand among sixteen on these same Gaussians, where the diffusion model has the "
        f"one of its recipe; {num_seen // gan.config.batch_size:,} steps are few for a GAN, and "
        f"what more of them would do is not shown. {_said_of_glyphs(rivals)}"
    )
    numbers: dict[str, Any] = dict(rows) | {"glyphs": None if rivals is None else asdict(rivals)}
    return Finding(
        verdict=verdict,
        quantity="share of the GAN's draws near a mode, less the diffusion model's",
        value=100 * (rival["good_share"] - ours["good_share"]),
        uncertainty=100 * math.hypot(*(found[name]["good_share"][1] for name in names[1:])),
        unit="percentage points",
        summary=summary,
        figure=figure,
        numbers=numbers
        | {
            "smear_good_share": SMEAR_GOOD_SHARE,
            "as_many_modes": as_many,
            "as_good_draws": as_good,
            "as_even_modes": as_even,
            "num_parameters": num_parameters,
            "num_points_seen": num_seen,
            "num_draws": num_draws,
            "num_seeds": num_seeds,
        },
    )


def _said_of_glyphs(rivals: GlyphRivals | None) -> str:
    if rivals is None:
        return (
            "Points in a plane do not say how the two compare on pictures: the run that is not "
            "quick tries that too."
        )
    ours, theirs, ceiling = rivals.diffusion, rivals.gan, rivals.real
    return (
        f"On real glyphs at 32 px, both with about {rivals.num_parameters / 1e6:.1f} million "
        f"parameters and the same minutes ({rivals.diffusion_seconds / 60:.1f} and "
        f"{rivals.gan_seconds / 60:.1f} here), precision and recall (k = 3, features of the "
        f"radical judge) are {ours[0]:.2f} and {ours[1]:.2f} for diffusion and {theirs[0]:.2f} and "
        f"{theirs[1]:.2f} for the GAN; other real glyphs have {ceiling[0]:.2f} and "
        f"{ceiling[1]:.2f}. One seed, short training and a GAN of one setting: a hint, no verdict."
    )
