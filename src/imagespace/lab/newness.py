"""Does nothing like the drawn pictures exist?

Pictures drawn for definitions that training never read, and real glyphs that training never saw,
each against every training picture at 64 px: copies by evaluation/copies.py, the distance to the
nearest, and whether the judge reads the same radical in the nearest (then something like it does
exist). The same for halves: the left, right, upper or lower half of a picture against that half of
every training picture, for a whole may be new and its parts taken over.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagespace.diffusion.spacing import step_times
from imagespace.evaluation import wilson_interval
from imagespace.evaluation.copies import COMPARISON_SIZE_PX, copy_rate
from imagespace.evaluation.held_out import unread_rows
from imagespace.lab.agreement import pair_agreement
from imagespace.lab.box_filter import box_filtered
from imagespace.lab.figures import BLUE, GREY, new_figure, show_pictures
from imagespace.lab.finding import Finding, Verdict
from imagespace.lab.laboratory import Laboratory
from imagespace.lab.noun_hits import prompted
from imagespace.lab.standard_errors import bootstrap_error, share_and_error
from imagespace.lab.walks import end_of_walk, start_noise, step_noise
from imagespace.pictures.split import HELD_OUT, TRAIN
from imagespace.pipeline import LARGEST_BATCH, to_pixels

AS_NEW = 0.9  # of the real pictures' median distance to the nearest: as new as real ones
SAME_HALF_RMS = 0.1  # of the range of values: a half this near is a half that exists
CLEARLY = 2.0  # standard errors above chance: the nearest picture is one of the same kind
HALVES = {
    "left": (slice(None), slice(0, COMPARISON_SIZE_PX // 2)),
    "right": (slice(None), slice(COMPARISON_SIZE_PX // 2, None)),
    "upper": (slice(0, COMPARISON_SIZE_PX // 2), slice(None)),
    "lower": (slice(COMPARISON_SIZE_PX // 2, None), slice(None)),
}


def nearest_distance(pixels: NDArray[np.uint8], training: NDArray[np.uint8]) -> Tensor:
    """The least root mean square difference, as a share of the range, of [N, ...] from [M, ...].

    Exact: the nearest is found through |a|^2 - 2 a.b + |b|^2, its distance from a - b.
    """
    points = torch.from_numpy(np.ascontiguousarray(pixels)).flatten(1).float() / 255
    least = torch.full((len(points),), torch.inf)
    nearest = torch.zeros(len(points), dtype=torch.long)
    for start in range(0, len(training), 2048):
        part = np.ascontiguousarray(training[start : start + 2048])
        others = torch.from_numpy(part).flatten(1).float() / 255
        found, where = (others.square().sum(dim=1) - 2 * points @ others.T).min(dim=1)
        better = found < least
        least = torch.where(better, found, least)
        nearest = torch.where(better, start + where, nearest)
    chosen = np.ascontiguousarray(training[nearest.numpy()])
    gap = points - torch.from_numpy(chosen).flatten(1).float() / 255
    return gap.square().mean(dim=1).sqrt()


def run(laboratory: Laboratory) -> Finding:
    """Copies, nearest pictures and nearest halves of samples beside those of real new glyphs."""
    num, num_real = laboratory.num(32, 200), laboratory.num(200, 800)
    pictures = laboratory.pictures
    # In the order of the seed; the captions of the first become the prompts.
    rows = laboratory.rows(HELD_OUT, len(pictures))
    rows = rows[np.isin(rows, unread_rows(pictures))]
    num, num_real = min(num, len(rows)), min(num_real, len(rows))
    num_steps = min(laboratory.num(16, 64), laboratory.model.config.sampling.num_steps)
    drawn = _drawn(laboratory, [pictures.captions[row] for row in rows[:num]], num_steps)
    training_rows = pictures.indices(TRAIN)
    training = box_filtered(pictures.pixels[training_rows], COMPARISON_SIZE_PX)
    shown = box_filtered(
        np.concatenate([drawn, pictures.pixels[rows[:num_real]]]), COMPARISON_SIZE_PX
    )
    report = copy_rate(shown, training)
    halves = torch.stack(
        [
            nearest_distance(shown[:, high, wide], training[:, high, wide])
            for high, wide in HALVES.values()
        ]
    )
    half_exists = (halves.amin(dim=0) < SAME_HALF_RMS).numpy()
    read = laboratory.judge.predict(shown)
    like = read == laboratory.judge.predict(training[report.nearest])

    parts = (slice(0, num), slice(num, None))
    copies, real_copies = (share_and_error(report.is_copy[part]) for part in parts)
    _, upper = wilson_interval(int(report.is_copy[:num].sum()), num)
    distance, real_distance = (report.distance[part] for part in parts)
    ratio, real_ratio = (report.ratio[part] for part in parts)
    same, real_same = (share_and_error(like[part]) for part in parts)
    halved, real_halved = (share_and_error(half_exists[part]) for part in parts)
    median, real_median = float(np.median(distance)), float(np.median(real_distance))
    error = bootstrap_error(
        lambda drawn_rows: float(np.median(distance[drawn_rows])),
        num,
        laboratory.random("newness/bootstrap"),
    )
    by_chance = pair_agreement(read[:num])

    far = median >= AS_NEW * real_median
    new_whole = copies[0] <= real_copies[0] and far
    of_its_kind = same[0] > by_chance + CLEARLY * same[1]
    fewer_halves = (
        halved[0] + CLEARLY * (halved[1] ** 2 + real_halved[1] ** 2) ** 0.5 < (real_halved[0])
    )
    verdict: Verdict = "does not hold"
    if new_whole:
        verdict = "holds partly" if of_its_kind else "holds"
    summary = (
        f"{num} pictures drawn in {num_steps} steps from definitions that training never read, "
        f"against all {len(training)} training pictures at {COMPARISON_SIZE_PX} px: "
        f"{copies[0]:.1%} are copies by the rule of a third of the distance to the second nearest "
        f"(at most {upper:.1%}, 95 % interval). Their nearest training picture is {median:.3f} of "
        f"the range of values away in the median (bootstrap error {error:.3f}); for {num_real} "
        f"real glyphs that training never saw it is {real_median:.3f}, so the drawn ones are "
        f"{'at least as new as' if far else 'nearer to what exists than'} real new glyphs. That "
        f"nothing like them exists is another matter: the judge reads the same radical in the "
        f"nearest training picture of {same[0]:.0%} of the drawn (error {same[1]:.0%}; two drawn "
        f"at random "
        f"agree in {by_chance:.0%}) and of {real_same[0]:.0%} of the real. A whole half, left, "
        f"right, upper or lower, stands in training within {SAME_HALF_RMS:g} of the range for "
        f"{halved[0]:.0%} of the drawn (error {halved[1]:.0%}) and {real_halved[0]:.0%} of the "
        f"real, so the drawn {'take over fewer' if fewer_halves else 'do not take over fewer'} "
        f"halves as they are. "
        f"Distance in pixels does not see a copy that is shifted or drawn in another weight, and a "
        f"badly drawn glyph is far from all others without being an invention."
    )
    figure, (left, right) = new_figure(
        f"Left: distance to the nearest of {len(training)} training pictures at "
        f"{COMPARISON_SIZE_PX} px, {num} drawn and {num_real} real new glyphs (share of each). "
        f"Right: drawn glyphs, each with its nearest training picture under it.",
        2,
    )
    bins = np.linspace(0, max(0.5, float(report.distance.max())), 31).tolist()
    for values, colour, label in (
        (real_distance, GREY, "real, never seen"),
        (distance, BLUE, "drawn"),
    ):
        weights = np.full(len(values), 1 / len(values))
        left.hist(values, bins=bins, weights=weights, color=colour, alpha=0.6, label=label)
    left.set(xlabel="rms difference to the nearest (share of range)", ylabel="share of pictures")
    left.legend(fontsize=7)
    columns = min(6, num)
    sheet = [
        part
        for first in range(0, min(num, 3 * columns) // columns * columns, columns)
        for part in (
            shown[first : first + columns],
            training[report.nearest[first : first + columns]],
        )
    ]
    show_pictures(right, np.concatenate(sheet), columns, ("drawn", "nearest") * (len(sheet) // 2))
    return Finding(
        verdict=verdict,
        quantity="median distance of a drawn glyph to the nearest training picture",
        value=100 * median,
        uncertainty=100 * error,
        unit="% of the range",
        summary=summary,
        figure=figure,
        numbers={
            "num_drawn": num,
            "num_real": num_real,
            "num_training": len(training),
            "num_steps": num_steps,
            "copies": list(copies),
            "copies_upper_95": upper,
            "copies_real": list(real_copies),
            "median_distance": median,
            "median_distance_real": real_median,
            "least_ratio": float(np.min(ratio)),
            "median_ratio": float(np.median(ratio)),
            "median_ratio_real": float(np.median(real_ratio)),
            "same_radical_in_nearest": list(same),
            "same_radical_in_nearest_real": list(real_same),
            "same_radical_by_chance": by_chance,
            "a_half_exists": list(halved),
            "a_half_exists_real": list(real_halved),
            "median_half_distance": float(halves.amin(dim=0)[:num].median()),
            "median_half_distance_real": float(halves.amin(dim=0)[num:].median()),
        },
    )


def _drawn(laboratory: Laboratory, prompts: list[str], num_steps: int) -> NDArray[np.uint8]:
    """One picture for each prompt with the model's own sampler: uint8 [N, H, W, C]."""
    model = laboratory.model
    sampling = model.config.sampling
    times = step_times(num_steps, model.schedule, sampling.spacing, sampling.time_shift)
    parts = []
    for first in range(0, len(prompts), LARGEST_BATCH):
        numbers = range(first, min(len(prompts), first + LARGEST_BATCH))
        denoiser = prompted(laboratory, prompts[first : numbers.stop], sampling.guidance)
        x_1 = start_noise(laboratory, "newness", numbers)
        noise = step_noise(laboratory, "newness/step", numbers)
        parts.append(to_pixels(end_of_walk(denoiser, x_1, times, sampling.build_sampler(), noise)))
    return np.concatenate(parts)
