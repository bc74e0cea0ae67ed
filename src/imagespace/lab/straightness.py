"""Is the path curved, and is one big step not enough?

Reference: the deterministic walk (DDIM) in 64 small steps under the nouns as prompts. Its
departure from the straight line is 1 - |x_1 - x_0| / (length of the path), and the angle between
the velocity at t and the chord x_0 - x_1. Then fewer and longer steps from the same noise: the
share of pictures in which the judge reads the noun's radical, and the root mean square distance
to the end of the 64 steps. The clean case is a grid of 25 Gaussians in the plane with its exact
field: the share of points that reach, within three standard deviations, the mode that the finest
walk takes them to. (Merely reaching some mode proves nothing: one step takes every point to the
mean, which is a mode of this grid.)
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from imagespace.diffusion.denoiser import velocity_from_x0
from imagespace.diffusion.exact import ExactMixture
from imagespace.diffusion.samplers import DDIM, Step
from imagespace.diffusion.schedule import RectifiedFlow, Schedule
from imagespace.diffusion.spacing import step_times
from imagespace.evaluation.nouns import NOUNS
from imagespace.lab.figures import BLUE, GREEN, GREY, ORANGE, new_figure
from imagespace.lab.finding import Finding, Verdict
from imagespace.lab.ink import grey_share
from imagespace.lab.laboratory import Laboratory
from imagespace.lab.noun_hits import NounPictures, hit_rate, noun_pictures, prompted
from imagespace.lab.standard_errors import mean_and_error, share_and_error
from imagespace.lab.walks import all_steps, end_of_walk, rms, start_noise
from imagespace.points import GAUSSIANS_STD, gaussian_centres

NUM_REFERENCE_STEPS = 64
STEP_COUNTS = (1, 2, 4, 8, 16)
CURVED_SHARE = 0.02  # of the path's length beyond the straight line
CURVED_DEGREES = 10.0  # mean angle between velocity and chord at its greatest
CLEARLY = 2.0  # standard errors between the hits of one step and of many
FAR = 0.5  # of the distance between two different pictures: one step ends elsewhere


def path_excess(points: Sequence[Tensor]) -> Tensor:
    """1 - |first - last| / (sum of the steps) for paths through points [B, ...] each: [B]."""
    flat = torch.stack([point.flatten(1) for point in points])
    length = flat.diff(dim=0).norm(dim=2).sum(dim=0)
    straight = (flat[-1] - flat[0]).norm(dim=1)
    excess: Tensor = 1 - straight / length
    return excess


def angles_to_chord(steps: Sequence[Step], schedule: Schedule) -> Tensor:
    """Degrees between the velocity at each step and the chord of the whole walk: [steps, B]."""
    chord = (steps[0].x_t - steps[-1].x_next).flatten(1)
    angles = []
    for step in steps:
        velocity = velocity_from_x0(step.x0_hat, step.x_t, torch.tensor(step.t), schedule)
        cosine = torch.cosine_similarity(velocity.flatten(1), chord, dim=1)
        angles.append(cosine.clamp(-1, 1).acos().rad2deg())
    return torch.stack(angles)


def run(laboratory: Laboratory) -> Finding:
    """Straightness of the reference walks; hits and distance against the number of steps."""
    model = laboratory.model
    sampling, schedule = model.config.sampling, model.schedule
    num_nouns, num_per_noun = laboratory.num(12, 20), laboratory.num(1, 3)

    def times(num_steps: int) -> list[float]:
        return step_times(num_steps, schedule, sampling.spacing, sampling.time_shift)

    excess_parts, angle_parts, ends = [], [], []
    for part in range(num_per_noun):
        numbers = range(part * num_nouns, (part + 1) * num_nouns)
        denoiser = prompted(
            laboratory, [noun.prompt for noun in NOUNS[:num_nouns]], sampling.guidance
        )
        x_1 = start_noise(laboratory, "nouns", numbers)
        steps = all_steps(denoiser, x_1, times(NUM_REFERENCE_STEPS), DDIM())
        excess_parts.append(path_excess([steps[0].x_t, *(step.x_next for step in steps)]))
        angle_parts.append(angles_to_chord(steps, schedule))
        ends.append(steps[-1].x_next)
    nouns = np.tile(np.arange(num_nouns), num_per_noun)
    reference = NounPictures(torch.cat(ends), nouns)
    excess, excess_error = mean_and_error(torch.cat(excess_parts).numpy())
    angles = torch.cat(angle_parts, dim=1)
    greatest_angle = float(angles.mean(dim=1).max())

    flow_hits, flow_distance, flow_grey, own_hits = [], [], [], []
    for count in STEP_COUNTS:
        drawn = noun_pictures(
            laboratory, num_nouns, num_per_noun, DDIM, times(count), sampling.guidance
        )
        flow_hits.append(hit_rate(laboratory, drawn))
        flow_distance.append(mean_and_error(rms(drawn.x_0 - reference.x_0).numpy()))
        flow_grey.append(float(grey_share(drawn.x_0).mean()))
        if sampling.sampler != "ddim":
            drawn = noun_pictures(
                laboratory,
                num_nouns,
                num_per_noun,
                sampling.build_sampler,
                times(count),
                sampling.guidance,
            )
        own_hits.append(hit_rate(laboratory, drawn))
    flow_hits.append(hit_rate(laboratory, reference))
    flow_grey.append(float(grey_share(reference.x_0).mean()))
    shuffled = float(rms(reference.x_0 - reference.x_0.roll(1, dims=0)).mean())

    grid_excess, grid_hits = _in_the_plane(laboratory)

    many, many_error = max(flow_hits[1:])
    one, one_error = flow_hits[0]
    curved = excess >= CURVED_SHARE or greatest_angle >= CURVED_DEGREES
    needed = (
        many - one > CLEARLY * (many_error**2 + one_error**2) ** 0.5
        or flow_distance[0][0] > FAR * shuffled
    )
    verdict: Verdict = "does not hold"
    if curved and needed:
        verdict = "holds"
    elif curved or needed:
        verdict = "holds partly"
    num = len(nouns)
    summary = (
        f"{num} walks under noun prompts, guidance {sampling.guidance:g}. The straight line from "
        f"noise to picture is {excess:.1%} (standard error {excess_error:.1%}, over pictures) "
        f"shorter than the path of {NUM_REFERENCE_STEPS} deterministic steps, and the velocity "
        f"makes at most {greatest_angle:.0f} degrees with it (mean over the walks, at its worst "
        f"time). Length says little here: most of it is noise going away. In one step the judge "
        f"reads the noun's radical in {one:.0%}, at best {many:.0%} with more (binomial errors "
        f"{one_error:.0%} and {many_error:.0%}), but it reads blurs too: "
        f"{flow_grey[0]:.0%} of the values of one step's pictures are neither ink nor paper, "
        f"{flow_grey[-1]:.0%} after {NUM_REFERENCE_STEPS} steps. One step ends "
        f"{flow_distance[0][0]:.2f} (root mean square, pixels from -1 to 1) from where small steps "
        f"end, {STEP_COUNTS[-1]} steps {flow_distance[-1][0]:.2f}, and two different pictures are "
        f"{shuffled:.2f} apart. A single step lands on x0_hat of pure noise, which is a mean of "
        f"the glyphs that fit the prompt. The model's own sampler, {sampling.sampler}, has its "
        f"radical read in {own_hits[-1][0]:.0%} after {STEP_COUNTS[-1]} steps. In the plane with "
        f"the exact field of 25 Gaussians, where no network errs, the line is "
        f"{grid_excess[0]:.0%} shorter than the path, and {grid_hits[0]:.0%} of points "
        f"reach their mode in one step, "
        f"{grid_hits[2]:.0%} in {STEP_COUNTS[2]}, {grid_hits[-1]:.0%} in {STEP_COUNTS[-1]}. This "
        f"says nothing about models that were trained to draw in one step."
    )
    figure, (left, middle, right) = new_figure(
        f"Left: angle between the velocity and the straight line from noise to picture, {num} "
        f"walks of {NUM_REFERENCE_STEPS} steps (mean and range; kinks: guidance sets in and ends). "
        f"Middle: pictures that show their noun's radical (bars: one binomial standard error), and "
        f"points that reach their mode of 25. Right: distance of few deterministic steps from "
        f"{NUM_REFERENCE_STEPS}.",
        3,
        360,
    )
    at = times(NUM_REFERENCE_STEPS)[:-1]
    left.fill_between(at, angles.amin(dim=1), angles.amax(dim=1), color=BLUE, alpha=0.2)
    left.plot(at, angles.mean(dim=1), color=BLUE)
    left.set(xlabel="time t (1 = noise)", ylabel="angle to the chord (degrees)", ylim=(0, None))
    left.invert_xaxis()
    counts = [*STEP_COUNTS, NUM_REFERENCE_STEPS]
    for colour, name, measured in (
        (BLUE, "ddim (flow)", flow_hits),
        (ORANGE, sampling.sampler, own_hits),
    ):
        rates, errors = np.array(measured).T
        middle.errorbar(counts[: len(rates)], rates, errors, color=colour, label=name, capsize=2)
    middle.plot(STEP_COUNTS, grid_hits, color=GREEN, linestyle="--", label="plane, exact field")
    middle.set(xlabel="number of steps", ylabel="share", ylim=(-0.03, 1.05))
    middle.legend(fontsize=7)
    distances, errors = np.array(flow_distance).T
    right.errorbar(STEP_COUNTS, distances, errors, color=BLUE, label="ddim (flow)", capsize=2)
    right.axhline(shuffled, color=GREY, linestyle=":", label="two different pictures")
    right.set(xlabel="number of steps", ylabel="rms distance (pixels -1 to 1)", ylim=(0, None))
    right.legend(fontsize=7)
    for axis in (middle, right):
        axis.set_xscale("log", base=2)
        axis.set_xticks(counts, [str(count) for count in counts])
    return Finding(
        verdict=verdict,
        quantity="the straight line is shorter than the path by",
        value=100 * excess,
        uncertainty=100 * excess_error,
        unit="%",
        summary=summary,
        figure=figure,
        numbers={
            "num_pictures": num,
            "num_reference_steps": NUM_REFERENCE_STEPS,
            "step_counts": list(STEP_COUNTS),
            "guidance": sampling.guidance,
            "greatest_mean_angle_degrees": greatest_angle,
            "mean_angle_degrees": angles.mean(dim=1).tolist(),
            "times": at,
            "hits_ddim_then_reference": [list(pair) for pair in flow_hits],
            "own_sampler": sampling.sampler,
            "hits_own_sampler": [list(pair) for pair in own_hits],
            "rms_to_reference_ddim": [list(pair) for pair in flow_distance],
            "grey_share_ddim_then_reference": flow_grey,
            "rms_between_different_pictures": shuffled,
            "plane_excess": list(grid_excess),
            "plane_share_in_its_mode": grid_hits,
        },
    )


def _in_the_plane(laboratory: Laboratory) -> tuple[tuple[float, float], list[float]]:
    """On the grid of 25: the path's excess, and the share that reaches its mode by step count."""
    flow, centres = RectifiedFlow(), gaussian_centres(25)
    mixture = ExactMixture(flow, centres, torch.full((25,), GAUSSIANS_STD))
    x_1 = laboratory.noise("straightness/plane", (laboratory.num(2000, 20000), 2))
    steps = all_steps(mixture, x_1, step_times(256, flow), DDIM())
    excess = path_excess([x_1, *(step.x_next for step in steps)])
    own_mode = centres[torch.cdist(steps[-1].x_next, centres).argmin(dim=1)]
    shares = []
    for count in STEP_COUNTS:
        end = end_of_walk(mixture, x_1, step_times(count, flow), DDIM())
        near = (end - own_mode).norm(dim=1) < 3 * GAUSSIANS_STD
        shares.append(share_and_error(near.numpy())[0])
    return mean_and_error(excess.numpy()), shares
