"""Is the picture decided early in the walk?

Unprompted walks with noise at every step. From the point x_t where a walk stands, a second walk
goes on with other noise: how often does the judge read the same radical in both ends, and how far
apart are they? The strong form keeps of x_t only what the model sees there: x0_hat is given fresh
noise of time t and walked to the end. Chance is the agreement of the ends of unrelated walks.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from imagespace.diffusion.samplers import DDPM
from imagespace.diffusion.spacing import step_times
from imagespace.lab.agreement import pair_agreement
from imagespace.lab.figures import BLUE, GREY, ORANGE, new_figure, show_pictures
from imagespace.lab.finding import Finding, Verdict
from imagespace.lab.laboratory import Laboratory
from imagespace.lab.standard_errors import bootstrap_error, mean_and_error, share_and_error
from imagespace.lab.walks import all_steps, end_of_walk, rms, start_noise, step_noise
from imagespace.pipeline import LARGEST_BATCH, to_pixels

NUM_STEPS = 16
CONTINUED_FROM = (0, 2, 4, 6, 8, 10, 12)  # the steps of the walk that a second walk shares
RENOISED_FROM = (4, 8, 12)
EARLY, LATE = 2 / 3, 1 / 3  # decided above the first: early; below the second: late


def crossing(times: Sequence[float], values: Sequence[float], level: float) -> float:
    """The first time, as times fall, at which values reach `level`; linear in between.

    The first time of all if they begin above it, the last if they never reach it.
    """
    if values[0] >= level:
        return times[0]
    for i in range(1, len(times)):
        if values[i] >= level:
            share = (level - values[i - 1]) / (values[i] - values[i - 1])
            return times[i - 1] + share * (times[i] - times[i - 1])
    return times[-1]


def run(laboratory: Laboratory) -> Finding:
    """Agreement of two continuations of one walk against the time at which they part."""
    num = laboratory.num(32, 96)
    model = laboratory.model
    schedule, sampling = model.schedule, model.config.sampling
    times = step_times(NUM_STEPS, schedule, sampling.spacing, sampling.time_shift)
    firsts, continued, renoised = [], [], []
    for start in range(0, num, LARGEST_BATCH):
        numbers = range(start, min(num, start + LARGEST_BATCH))
        denoiser = model.denoiser([""] * len(numbers))
        x_1 = start_noise(laboratory, "decision", numbers)
        steps = all_steps(
            denoiser, x_1, times, DDPM(), step_noise(laboratory, "decision/first", numbers)
        )
        firsts.append(steps[-1].x_next)
        ends = []
        for index in CONTINUED_FROM:
            noise = step_noise(laboratory, f"decision/second/{index}", numbers)
            ends.append(end_of_walk(denoiser, steps[index].x_t, times[index:], DDPM(), noise))
        continued.append(torch.stack(ends))
        ends = []
        for index in RENOISED_FROM:
            fresh = step_noise(laboratory, "decision/renoised", numbers)(index)
            x_t = schedule.add_noise(steps[index].x0_hat, fresh, torch.tensor(times[index]))
            noise = step_noise(laboratory, f"decision/third/{index}", numbers)
            ends.append(end_of_walk(denoiser, x_t, times[index:], DDPM(), noise))
        renoised.append(torch.stack(ends))
    first = torch.cat(firsts)
    others = [*torch.cat(continued, dim=1), *torch.cat(renoised, dim=1)]
    read = laboratory.judge.predict(to_pixels(first))
    agrees = np.stack([laboratory.judge.predict(to_pixels(end)) == read for end in others])
    apart = torch.stack([rms(first - end) for end in others]).numpy()
    num_continued = len(CONTINUED_FROM)
    parted = [times[index] for index in CONTINUED_FROM]
    renoised_at = [times[index] for index in RENOISED_FROM]
    measured = [share_and_error(row) for row in agrees]
    distances = [mean_and_error(row) for row in apart]
    chance = pair_agreement(read)
    unrelated = float(rms(first - first.roll(1, dims=0)).mean())

    def half_way(rows: NDArray[np.int64]) -> float:
        shares = agrees[:num_continued, rows].mean(axis=1).tolist()
        return crossing(parted, shares, (1 + chance) / 2)

    everyone = np.arange(num)
    decided = half_way(everyone)
    error = bootstrap_error(half_way, num, laboratory.random("decision/bootstrap"))
    half_apart = crossing(
        parted, [-distance for distance, _ in distances[:num_continued]], -unrelated / 2
    )
    steps_before = sum(t > decided for t in times[:-1]) / NUM_STEPS
    verdict: Verdict = "does not hold"
    if decided >= EARLY:
        verdict = "holds"
    elif decided >= LATE:
        verdict = "holds partly"
    shares = {t: share for t, (share, _) in zip(parted, measured, strict=False)}
    strong = ", ".join(
        f"{share:.0%} at t = {t:.2f} (instead of {shares[t]:.0%})"
        for t, (share, _) in zip(renoised_at, measured[num_continued:], strict=True)
    )
    late = CONTINUED_FROM.index(8)
    summary = (
        f"{num} unprompted walks of {NUM_STEPS} steps with noise at each, and for each a second "
        f"walk that shares its beginning and then draws other noise. The judge reads the same "
        f"radical in both ends in {measured[0][0]:.0%} if they share only the noise at t = 1; "
        f"unrelated walks agree in {chance:.0%}. Agreement is half of the way from there to "
        f"certainty when the walks part at t = {decided:.2f} (bootstrap error over walks "
        f"{error:.2f}), which is after {steps_before:.0%} of this walk's steps: they crowd near "
        f"noise. By pixels the ends are half as far apart as unrelated pictures "
        f"({unrelated:.2f} root mean square) when they part at t = {half_apart:.2f}. If all but "
        f"the model's answer x0_hat is thrown away and replaced by fresh noise, the radical is the "
        f"same in {strong}. Half-way is one point of a gradual curve: "
        f"{1 - measured[late][0]:.0%} of the walks that part at t = {parted[late]:.2f} still end "
        f"in different radicals, some of them by the judge's doubt. A prompt would "
        f"decide much of it before the first step, and a deterministic walk all of it by its noise."
    )
    figure, (left, middle, right) = new_figure(
        f"Left: {num} pairs of unprompted walks that part at t; the judge reads the same radical "
        f"in both ends (bars: one binomial standard error; vertical: half-way, with its bootstrap "
        f"error). Middle: how far apart the ends are. Right: the first walk's ends, and those of "
        f"second walks that parted at t.",
        3,
        370,
    )
    drawn = (
        (parted, slice(0, num_continued), BLUE, "from x_t, other noise"),
        (renoised_at, slice(num_continued, len(others)), ORANGE, "from x0_hat, fresh noise"),
    )
    for at, part, colour, label in drawn:
        for axis, values in ((left, measured), (middle, distances)):
            means, errors = np.array(values[part]).T
            axis.errorbar(at, means, errors, color=colour, label=label, capsize=2, marker="o")
    left.axhline(chance, color=GREY, linestyle=":", label="unrelated walks")
    left.axvline(decided, color=GREY)
    left.axvspan(decided - error, decided + error, color=GREY, alpha=0.2)
    left.set(xlabel="time t of parting (1 = noise)", ylabel="share with the same radical")
    left.set_ylim(-0.03, 1.05)
    middle.axhline(unrelated, color=GREY, linestyle=":", label="unrelated walks")
    middle.set(xlabel="time t of parting (1 = noise)", ylabel="rms distance (pixels -1 to 1)")
    middle.set_ylim(0, None)
    for axis in (left, middle):
        axis.invert_xaxis()
        axis.legend(fontsize=7)
    columns = min(5, num)
    rows_shown = (0, 2, 4, 6)
    sheet = torch.cat([first[:columns], *(others[row][:columns] for row in rows_shown)])
    show_pictures(
        right,
        to_pixels(sheet),
        columns,
        ("first", *(f"t = {parted[row]:.2f}" for row in rows_shown)),
    )
    return Finding(
        verdict=verdict,
        quantity="time at which the radical is half decided",
        value=decided,
        uncertainty=error,
        unit="(t, 1 = noise)",
        summary=summary,
        figure=figure,
        numbers={
            "num_walks": num,
            "num_steps": NUM_STEPS,
            "times": times,
            "parted_at": parted,
            "agreement": [list(pair) for pair in measured[:num_continued]],
            "rms_apart": [list(pair) for pair in distances[:num_continued]],
            "renoised_at": renoised_at,
            "agreement_renoised": [list(pair) for pair in measured[num_continued:]],
            "rms_apart_renoised": [list(pair) for pair in distances[num_continued:]],
            "agreement_by_chance": chance,
            "rms_unrelated": unrelated,
            "half_apart_at": half_apart,
            "steps_before_decided": steps_before,
        },
    )
