"""Does the algorithm that draws pictures also flip a coin?

A network with the same schedule, objective and training loop learns from flips of a coin with
P(heads) = 0.3, heads being the point +1 on a line and tails -1. It then walks points from noise to
t = 0. Heads are counted by sign; a point further than 0.2 from both faces is a stray. The exact
denoiser of the coin walks from the same noise: where the two differ, the network is wrong.
"""

import math

import torch
from torch import Tensor

from imagespace.diffusion.exact import ExactMixture
from imagespace.diffusion.samplers import Heun, walk
from imagespace.diffusion.spacing import step_times
from imagespace.lab.figures import BLUE, GREY, ORANGE, new_figure
from imagespace.lab.finding import Finding, Verdict
from imagespace.lab.laboratory import Laboratory
from imagespace.points import HEADS_PROBABILITY, NUM_POINTS, coin

STRAY_DISTANCE = 0.2
LARGEST_STRAY_SHARE = 0.01
# Standard errors that P(heads) may be off by, and the error that is too large whatever they are.
LARGEST_Z, LARGEST_ERROR = 3.0, 0.05
NUM_STEPS = 40
NUM_PATHS = 200


def heads_and_strays(x: Tensor) -> tuple[float, float]:
    """(share of x [N, 1] above zero, share further than 0.2 from both +1 and -1)."""
    strays = (x.abs() - 1).abs() > STRAY_DISTANCE
    return float((x > 0).double().mean()), float(strays.double().mean())


def run(laboratory: Laboratory) -> Finding:
    """Trains on flips, then draws flips."""
    flips = coin(NUM_POINTS, laboratory.random("coin/flips"))
    num_seen = laboratory.num(500_000, 2_000_000)
    model = laboratory.train_on_points(flips, num_seen)
    num = laboratory.num(10_000, 100_000)
    schedule = model.schedule
    exact = ExactMixture(
        schedule,
        torch.tensor([[1.0], [-1.0]]),
        torch.zeros(2),
        torch.tensor([HEADS_PROBABILITY, 1 - HEADS_PROBABILITY]),
    )
    start = laboratory.noise("coin/start", (num, 1))
    times = step_times(NUM_STEPS, schedule)
    ends, paths = {}, []
    with torch.inference_mode():
        for name, denoiser in {"network": model.denoiser([""] * num), "exact": exact}.items():
            for step in walk(denoiser, start, times, Heun(), lambda index: start):
                if name == "network":
                    paths.append(step.x_t[:NUM_PATHS, 0])
            ends[name] = step.x_next
    paths.append(ends["network"][:NUM_PATHS, 0])

    heads, strays = heads_and_strays(ends["network"])
    exact_heads, exact_strays = heads_and_strays(ends["exact"])
    seen_heads, _ = heads_and_strays(flips)
    # On a line paths cannot cross: a perfect walk turns the upper 30 % of the noise into heads.
    threshold = torch.special.ndtri(torch.tensor(1 - HEADS_PROBABILITY))
    start_heads = float((start > threshold).double().mean())
    uncertainty = math.sqrt(heads * (1 - heads) / num)
    # The network can only know the coin as well as the flips that it saw.
    variance_of_flips = HEADS_PROBABILITY * (1 - HEADS_PROBABILITY) / len(flips)
    z = abs(heads - HEADS_PROBABILITY) / math.sqrt(uncertainty**2 + variance_of_flips)
    verdict: Verdict
    if z <= LARGEST_Z and strays <= LARGEST_STRAY_SHARE:
        verdict, words = "holds", "Both are within what this experiment allows"
    elif abs(heads - HEADS_PROBABILITY) <= LARGEST_ERROR and strays <= 10 * LARGEST_STRAY_SHARE:
        verdict, words = "holds partly", "It is a coin, but not quite this coin"
    else:
        verdict, words = "does not hold", "That is not the coin that it was shown"

    figure, (left, middle, right) = new_figure(
        f"{num:,} points walk from noise (left) to the faces of a coin (right) along the learnt\n"
        f"field; {NUM_PATHS} of their paths in the middle. Heads is +1 with probability "
        f"{HEADS_PROBABILITY}. The walk goes from t = 1 to t = 0.",
        num_panels=3,
        panel_px=360,
    )
    bins = torch.linspace(-3, 3, 61).tolist()
    for axis, points, colour in ((left, start, GREY), (right, ends["network"], BLUE)):
        axis.hist(points[:, 0].tolist(), bins, orientation="horizontal", density=True, color=colour)
        axis.set_xlabel("density")
    left.set_title("t = 1: noise")
    right.set_title(f"t = 0: {100 * heads:.1f} % heads")
    middle.set_title("the walk")
    drawn = torch.stack(paths, dim=1)
    for path in drawn:
        middle.plot(times, path.tolist(), color=ORANGE if path[-1] > 0 else BLUE, lw=0.5, alpha=0.4)
    middle.plot([], [], color=ORANGE, label="ends at heads")
    middle.plot([], [], color=BLUE, label="ends at tails")
    middle.legend(loc="upper right", fontsize=8)
    middle.set_xlabel("time t")
    middle.set_xlim(1, 0)
    for axis in (left, middle, right):
        axis.set_ylim(-3, 3)
        axis.set_ylabel("x")

    summary = (
        f"The schedule, objective and training loop of the picture model, with a small perceptron "
        f"in place of its transformer, learnt from {len(flips):,} flips of a coin with P(heads) = "
        f"{HEADS_PROBABILITY} (of which {100 * seen_heads:.1f} % were heads). Of {num:,} points "
        f"walked from noise in {NUM_STEPS} steps, {100 * heads:.2f} ± {100 * uncertainty:.2f} % "
        f"(binomial) ended at heads, {z:.1f} standard errors from the truth when the chance in "
        f"the flips is counted too; {100 * strays:.2f} % ended near neither face. {words}. Each "
        f"flip is decided by the noise it starts from, since the walk itself draws none: "
        f"{100 * start_heads:.2f} % of these starting points lie where a perfect walk leads to "
        f"heads. The exact denoiser of the coin, walked from them, gave {100 * exact_heads:.2f} %, "
        f"so the network is off by {100 * (heads - exact_heads):+.2f} percentage points. A coin "
        "needs no diffusion model, and one number learnt well says nothing about how well a "
        "picture "
        "is learnt."
    )
    return Finding(
        verdict=verdict,
        quantity="share of drawn flips that are heads (truth: 30 %)",
        value=100 * heads,
        uncertainty=100 * uncertainty,
        unit="%",
        summary=summary,
        figure=figure,
        numbers={
            "heads": heads,
            "heads_standard_error": uncertainty,
            "heads_truth": HEADS_PROBABILITY,
            "heads_in_training_flips": seen_heads,
            "z": z,
            "strays": strays,
            "exact_heads": exact_heads,
            "starting_points_of_heads": start_heads,
            "exact_strays": exact_strays,
            "num_draws": num,
            "num_training_flips": len(flips),
            "num_points_seen": num_seen,
            "num_steps": NUM_STEPS,
        },
    )
