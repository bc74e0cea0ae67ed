"""Does noise destroy the picture step by step, and when is it gone?

Real glyphs are noised by the model's schedule, x_t = alpha_t x_0 + sigma_t eps, and read by three
readers. The judge names the radical from the pixels, clipped as a screen would show them; it never
saw noise, nor these characters. The archivist has N clean glyphs, the very one among them, knows
how the noise was added, and picks the most probable: exact Bayes, by
argmin_k |x_t - alpha_t picture_k|^2. The stranger is the archivist without the very glyph: it can
only give the radical of the most probable other one.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagespace.evaluation.radical_judge import is_held_out
from imagespace.lab.figures import BLUE, GREEN, GREY, ORANGE, new_figure, show_pictures
from imagespace.lab.finding import Finding, Verdict
from imagespace.lab.laboratory import Laboratory
from imagespace.lab.standard_errors import bootstrap_error
from imagespace.pictures.split import SPLITS
from imagespace.pipeline import to_pixels

TIMES = (
    *(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9),
    *(0.93, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995, 1.0),
)
SHOWN_TIMES = (0.0, 0.3, 0.5, 0.7, 0.9, 0.95, 0.98, 1.0)
# Half-times of two readers that are nearer than this say the same thing.
SAME_TIME = 0.1


def half_time(times: NDArray[np.float64], accuracy: NDArray[np.float64]) -> float:
    """The time at which accuracy [T] first falls to half of accuracy[0], linear between times."""
    below = np.flatnonzero(accuracy <= accuracy[0] / 2)
    if accuracy[0] == 0 or len(below) == 0:
        return float(times[-1])
    after = int(below[0])
    before = after - 1
    fall = accuracy[before] - accuracy[after]
    share = (accuracy[before] - accuracy[0] / 2) / fall
    return float(times[before] + share * (times[after] - times[before]))


def squared_distances(x_t: Tensor, pictures: Tensor, alpha: float) -> Tensor:
    """|x_t - alpha picture_k|^2 [B, N] but for |x_t|^2, for x_t [B, D] and pictures [N, D]."""
    return alpha**2 * pictures.square().sum(dim=1) - 2 * alpha * (x_t @ pictures.T)


def _rows(laboratory: Laboratory, num_tested: int, num_known: int) -> NDArray[np.int64]:
    """Rows of glyphs: first those that are tested, of characters that the judge never saw."""
    everything = [laboratory.rows(split, len(laboratory.pictures)) for split in SPLITS]
    rows = np.concatenate(everything)
    rows = rows[torch.randperm(len(rows), generator=laboratory.random("destruction")).numpy()]
    metadata = laboratory.pictures.metadata
    fresh = np.array([is_held_out(int(metadata[row]["code_point"][2:], 16)) for row in rows])
    tested = rows[fresh][:num_tested]
    chosen: NDArray[np.int64] = np.concatenate([tested, rows[~fresh][: num_known - num_tested]])
    return chosen


def run(laboratory: Laboratory) -> Finding:
    """Reads glyphs at rising noise."""
    num_tested, num_known = laboratory.num(200, 1000), laboratory.num(2000, 8000)
    laboratory.radicals(laboratory.rows(SPLITS[0], 1))  # a clear error if these are no glyphs
    rows = _rows(laboratory, num_tested, num_known)
    radicals = laboratory.radicals(rows)
    num_tested, num_known = min(num_tested, len(rows)), len(rows)
    pictures = laboratory.real(rows)
    schedule = laboratory.model.schedule
    x_0 = pictures[:num_tested]
    eps = laboratory.noise("destruction/noise", tuple(x_0.shape))
    # The mean picture says nothing about which one it is, and costs float32 its digits.
    mean = pictures.mean(dim=0).flatten()
    centred = pictures.flatten(1) - mean
    truth = np.arange(num_tested)
    hits: dict[str, list[NDArray[np.bool_]]] = {"judge": [], "archivist": [], "stranger": []}
    shown = []
    for time in TIMES:
        t = torch.tensor(time)
        x_t = schedule.add_noise(x_0, eps, t)
        alpha = float(schedule.alpha(t))
        pixels = to_pixels(x_t)
        if time in SHOWN_TIMES:
            shown.append(pixels[:3])
        hits["judge"].append(laboratory.judge.predict(pixels) == radicals[:num_tested])
        with torch.inference_mode():
            squares = squared_distances(x_t.flatten(1) - alpha * mean, centred, alpha)
            nearest = squares.argmin(dim=1).numpy()
            squares[truth, truth] = torch.inf
            other = squares.argmin(dim=1).numpy()
        hits["archivist"].append(nearest == truth)
        hits["stranger"].append(radicals[other] == radicals[:num_tested])

    times = np.array(TIMES)
    matrices = {name: np.array(rows) for name, rows in hits.items()}  # [T, N]
    accuracy = {name: matrix.mean(axis=1) for name, matrix in matrices.items()}
    counts = np.bincount(radicals)
    commonest = float((radicals[:num_tested] == counts.argmax()).mean())
    chance = {"judge": commonest, "archivist": 1 / num_known, "stranger": commonest}
    halves, errors, gone = {}, {}, {}
    for name, matrix in matrices.items():
        random = laboratory.random(f"destruction/bootstrap/{name}")

        def drawn_anew(columns: NDArray[np.int64], matrix: NDArray[np.bool_] = matrix) -> float:
            return half_time(times, matrix[:, columns].mean(axis=1))

        halves[name] = half_time(times, accuracy[name])
        errors[name] = bootstrap_error(drawn_anew, num_tested, random)
        deviation = np.sqrt(chance[name] * (1 - chance[name]) / num_tested)
        by_chance = accuracy[name] <= chance[name] + 2 * deviation
        gone[name] = float(times[by_chance][0]) if by_chance.any() else None
    all_gone = all(time is not None for time in gone.values())
    gap = max(halves.values()) - min(halves.values())
    verdict: Verdict
    if all_gone and gap <= SAME_TIME:
        verdict, words = "holds", "and the readers agree on when"
    elif all_gone:
        verdict, words = "holds partly", "but when it is destroyed depends on who reads"
    else:
        verdict, words = "does not hold", "but not for every reader, even at the end"

    noise_ratio = float(schedule.ratio(torch.tensor(halves["archivist"])))
    figure, (left, right) = new_figure(
        f"Left: how often each reader is right on {num_tested} glyphs at noise t (x_t = alpha x_0 "
        "+ sigma eps); bands are one standard error, dots\nhalf of the clean accuracy. Right: "
        "three of the glyphs as a screen shows them. The archivist picks the very glyph among "
        f"{num_known:,};\nthe judge and the stranger name its radical.",
        num_panels=2,
        panel_px=520,
    )
    lines = {
        "archivist": (GREEN, "archivist: the very glyph"),
        "judge": (BLUE, "judge: its radical"),
        "stranger": (ORANGE, "stranger: its radical"),
    }
    for name, (colour, label) in lines.items():
        mean_hits = accuracy[name]
        error = np.sqrt(mean_hits * (1 - mean_hits) / num_tested)
        left.plot(times, mean_hits, color=colour, label=label)
        left.fill_between(times, mean_hits - error, mean_hits + error, color=colour, alpha=0.2)
        left.plot(halves[name], mean_hits[0] / 2, "o", color=colour)
    left.axhline(commonest, color=GREY, ls="--", label="always the commonest radical")
    left.set_xlabel("time t (0 clean, 1 pure noise)")
    left.set_ylabel("share read rightly")
    left.set_ylim(-0.02, 1.02)
    left.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0.0, 0.12))
    sheet = np.stack(shown, axis=1).reshape(-1, *shown[0].shape[1:])
    show_pictures(right, sheet, len(SHOWN_TIMES))
    width = sheet.shape[2]
    columns = [(number + 0.5) * width for number in range(len(SHOWN_TIMES))]
    right.set_xticks(columns, [f"{t:g}" for t in SHOWN_TIMES])
    right.set_xlabel("time t")

    def half(name: str) -> str:
        return f"t = {halves[name]:.3f} ± {errors[name]:.3f}"

    summary = (
        f"At t = 1 nothing of the picture is left by construction; the question is when it goes. "
        f"The radical judge, a network that never saw noise, reads "
        f"{100 * accuracy['judge'][0]:.0f} % of {num_tested} clean glyphs and falls to half of "
        f"that at {half('judge')} (bootstrap over glyphs). A reader who has {num_known:,} clean "
        f"glyphs, knows how the noise was added and picks the most probable one finds the "
        f"very glyph until {half('archivist')}, where "
        f"the noise has {noise_ratio:.0f} times the scale of the picture, because "
        f"{x_0[0].numel():,} noisy pixels are many measurements of one choice. The same "
        f"reader without that glyph in its archive names the radical of "
        f"{100 * accuracy['stranger'][0]:.0f} % and is at half of that at {half('stranger')}. "
        f"Noise destroys the picture, {words}. These are properties of readers: how much a "
        f"trained field still sees "
        "at a given t is another question."
    )
    return Finding(
        verdict=verdict,
        quantity="time at which the exact reader still finds half of the glyphs",
        value=halves["archivist"],
        uncertainty=errors["archivist"],
        unit="(t, 1 is pure noise)",
        summary=summary,
        figure=figure,
        numbers={
            "times": list(TIMES),
            "accuracy": {name: found.tolist() for name, found in accuracy.items()},
            "half_time": halves,
            "half_time_error": errors,
            "first_time_at_chance": gone,
            "chance": chance,
            "num_tested": num_tested,
            "num_known": num_known,
        },
    )
