"""Commitment: from which step on a walk has settled what it will draw, found by forking it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray
from torch import Tensor

from imagespace.atlas.canvas import INK, OKABE_ITO, new_figure, open_sides, say, shown
from imagespace.atlas.ends import Course, Report, ends, walk_places
from imagespace.atlas.reading import Reading
from imagespace.atlas.showing import AS_THEY_ARE, Showing
from imagespace.atlas.view import View
from imagespace.diffusion.denoiser import Denoiser
from imagespace.diffusion.samplers import Noise, Step, walk
from imagespace.evaluation import wilson_interval
from imagespace.pipeline import LARGEST_BATCH
from imagespace.precision import arithmetic
from imagespace.randomness import picture_noise

NUM_SHOWN = 3


@dataclass(frozen=True)
class Forks:
    """Walks that leave one walk at each of its steps and go on with noise of their own.

    `main` are the steps of that walk and `end` [...] is where it ends; `fork_ends` [K, N, ...] are
    the ends of N forks from each of K steps.
    """

    main: list[Step]
    end: Tensor
    fork_ends: Tensor

    def shown(self, showing: Showing) -> "Forks":
        """The same, each sample the picture that it is shown as."""

        def pictures(x: Tensor) -> Tensor:
            return showing.pictures(x.float())

        main = [
            replace(
                step,
                x_t=pictures(step.x_t),
                x0_hat=pictures(step.x0_hat),
                x_next=pictures(step.x_next),
            )
            for step in self.main
        ]
        flat = pictures(self.fork_ends.flatten(0, 1))
        ends = flat.unflatten(0, self.fork_ends.shape[:2])
        return Forks(main, pictures(self.end[None])[0], ends)

    def same(self, reading: Reading) -> NDArray[np.bool_]:
        """Which forks end in the kind that the walk itself ends in, [K, N]."""
        kind = reading(self.end[None])
        flat = reading(self.fork_ends.flatten(0, 1))
        same: NDArray[np.bool_] = (flat == kind).reshape(self.fork_ends.shape[:2]).numpy()
        return same

    def correlations(self) -> NDArray[np.float64]:
        """Correlation of each fork's end with the walk's own, value by value, [K, N]."""
        end = self.end.flatten().double()
        others = self.fork_ends.flatten(2).double()
        end, others = end - end.mean(), others - others.mean(dim=2, keepdim=True)
        scale = end.norm() * others.norm(dim=2)
        correlations: NDArray[np.float64] = ((others @ end) / scale.clamp(min=1e-12)).numpy()
        return correlations


def fork(
    denoiser: Denoiser,
    start: Tensor,
    course: Course,
    fork_course: Course,
    num: int = 16,
    seed: int = 0,
    report: Report | None = None,
) -> Forks:
    """Walks from noise `start` [...] of unit scale along `course`, and forks it at every step.

    A fork stands at the walk's own x_t and goes on along `fork_course`, which has the same times:
    with the noise of a stochastic sampler it draws from what the model holds possible from there.
    """
    if fork_course.times != course.times:
        raise ValueError("forks go on at the times of the walk that they leave")
    x_1 = start[None] * denoiser.schedule.sigma(torch.tensor(course.times[0]))
    nothing: Noise = _own_noise(tuple(start.shape), seed, range(1), "walk")
    with torch.no_grad(), arithmetic(course.dtype):
        main = list(walk(denoiser, x_1, course.times, course.build_sampler(), nothing))
    parts = []
    for step in main:

        def noise_of(rows: slice, step: Step = step) -> Noise:
            numbers = range(rows.start, rows.stop)
            return _own_noise(tuple(start.shape), seed, numbers, f"fork {step.index}")

        copies = step.x_t.expand(num, *start.shape)
        parts.append(ends(denoiser, copies, fork_course, step.index, noise_of))
        if report is not None:
            report(step.index + 1, len(main))
    return Forks(main, main[-1].x_next[0], torch.stack(parts))


def _own_noise(
    shape: tuple[int, ...], seed: int, numbers: Sequence[int], stream: str
) -> Callable[[int], Tensor]:
    return lambda index: picture_noise(shape, seed, f"{stream}, step", numbers, index)


@dataclass(frozen=True)
class Switch:
    """Walks under one prompt that go on under another from step k, for k = 0 to the last.

    `ends` [K + 1, N, ...]: with k = 0 the second prompt has the whole walk, with k = K none of it.
    """

    ends: Tensor

    def shown(self, showing: Showing) -> "Switch":
        """The same, each sample the picture that it is shown as."""
        flat = showing.pictures(self.ends.flatten(0, 1).float())
        return Switch(flat.unflatten(0, self.ends.shape[:2]))

    def kinds(self, reading: Reading) -> tuple[NDArray[np.int64], int, int]:
        """(kinds [K + 1, N], the first prompt's, the second's): the commonest of whole walks."""
        flat = reading(self.ends.flatten(0, 1)).numpy()
        kinds: NDArray[np.int64] = flat.reshape(self.ends.shape[:2])
        return kinds, _commonest(kinds[-1]), _commonest(kinds[0])


def _commonest(kinds: NDArray[np.int64]) -> int:
    values, counts = np.unique(kinds, return_counts=True)
    return int(values[counts.argmax()])


def switch(
    first: Denoiser,
    second: Denoiser,
    noises: Tensor,
    course: Course,
    report: Report | None = None,
) -> Switch:
    """Changes the prompt at every step of the walks from noises [N, ...] of unit scale.

    The sampler of `course` must be deterministic; one of several steps starts anew at the change.
    """
    sigma = first.schedule.sigma(torch.tensor(course.times[0]))
    batches = []
    for x_t in (noises * sigma).split(LARGEST_BATCH):
        with arithmetic(course.dtype):
            batches.append(walk_places(first, x_t, course.times, course.build_sampler()))
    places = torch.cat(batches, dim=1)
    parts = []
    for number, place in enumerate(places):
        parts.append(ends(second, place, course, number))
        if report is not None:
            report(number + 1, len(places))
    return Switch(torch.stack(parts))


def commitment_view(
    forks: Forks,
    reading: Reading | None,
    name: str,
    switched: Switch | None = None,
    other: str = "",
    showing: Showing = AS_THEY_ARE,
) -> View:
    """The walk step by step, its forks' ends under it, and the share that ends as it does.

    All of it is of pictures: latents are decoded first, and `reading` reads the pictures.

    Without a reading the curve is the correlation of the ends. With `switched`, a second curve:
    which of the two prompts, `name` and `other`, wins after the change. ValueError: a change of
    prompt without a reading.
    """
    if switched is not None and reading is None:
        raise ValueError("which prompt wins is told by a reading")
    forks = forks.shown(showing)
    switched = None if switched is None else switched.shown(showing)
    num_steps, num_forks = forks.fork_ends.shape[:2]
    rows = 2 + NUM_SHOWN + (switched is not None)
    curves = 1 + (switched is not None)
    # In inches: the pictures, the curves under them with their labels, the sentence.
    parts = (0.92 * rows, 2.15 * curves, 0.75)
    height = 0.3 + sum(parts)
    figure = new_figure(max(8.0, 0.92 * (num_steps + 1) + 1.5), height)
    # Columns of pictures stand above their step of the curves: no layout engine may move them.
    figure.set_layout_engine("none")
    sides = {"left": 0.125, "right": 0.985}
    under = (parts[1] + parts[2]) / height
    grid = figure.add_gridspec(rows, 1, top=1 - 0.3 / height, bottom=under, hspace=0.04, **sides)
    curve_grid = figure.add_gridspec(
        curves,
        1,
        top=under - 0.15 / height,
        bottom=(parts[2] + 0.45) / height,
        hspace=0.5,
        **sides,
    )
    labels = ["x_t", "what it sees", *[f"fork {n + 1} ends" for n in range(NUM_SHOWN)]]
    strips = [
        [step.x_t[0] for step in forks.main],
        [step.x0_hat[0] for step in forks.main],
        *[list(forks.fork_ends[:, n]) for n in range(min(NUM_SHOWN, num_forks))],
    ]
    if switched is not None:
        labels.append(f"-> {other}")
        strips.append(list(switched.ends[:, 0]))
    for row, (label, strip) in enumerate(zip(labels, strips, strict=False)):
        axis = figure.add_subplot(grid[row])
        _strip(axis, label, strip, num_steps)
        if row == 0:
            for column, step in enumerate(forks.main):
                axis.text(column, 0.56, f"t = {step.t:.2f}", fontsize=7.5, ha="center", color=INK)
    axis = figure.add_subplot(curve_grid[0])
    numbers: dict[str, object] = {"forks": num_forks, "times": [step.t for step in forks.main]}
    if reading is None:
        numbers |= _draw_correlations(axis, forks.correlations())
        told = "the correlation of their ends with the walk's own, and its range"
    else:
        kind = reading.name(int(reading(forks.end[None])))
        numbers |= {"kind": kind} | _draw_shares(axis, forks, reading, kind)
        told = (
            "the share of them that ends in the same kind, with its 95 % interval (Wilson); "
            "dashed, how alike the pictures are"
        )
    _steps_axis(axis, num_steps, "the walk is left at step")
    sentence = (
        f"A walk of {num_steps} steps under {name!r} is left at each step by {num_forks} forks "
        f"with fresh noise; the curve is {told}."
    )
    if switched is not None and reading is not None:
        axis = figure.add_subplot(curve_grid[1])
        numbers["switch"] = _draw_switch(axis, switched, reading, name, other)
        _steps_axis(axis, num_steps, f"the prompt changes from {name!r} to {other!r} at step")
        sentence += f" Below, {switched.ends.shape[1]} walks change their prompt instead."
    say(figure, sentence)
    return View(f"When a walk under {name!r} is settled", figure, numbers)


def _strip(axis: Axes, label: str, strip: Sequence[Tensor], num_steps: int) -> None:
    for column, x in enumerate(strip):
        edges = (column - 0.46, column + 0.46, -0.46, 0.46)
        axis.imshow(shown(x), extent=edges, interpolation="antialiased", zorder=2)
    axis.set_xlim(-0.5, num_steps + 0.5)
    axis.set_ylim(-0.5, 0.5)
    axis.set_aspect("auto")
    axis.set_xticks([])
    axis.set_yticks([0], [label], fontsize=9)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def _steps_axis(axis: Axes, num_steps: int, label: str) -> None:
    axis.set_xlim(-0.5, num_steps + 0.5)
    axis.set_xticks(range(num_steps + 1))
    axis.set_xlabel(label, fontsize=9.5)
    axis.tick_params(labelsize=8.5)
    open_sides(axis)


def _band(
    axis: Axes, hits: NDArray[np.bool_], label: str, colour: str, marker: str
) -> dict[str, list[float]]:
    shares = hits.mean(axis=1)
    intervals = [wilson_interval(int(row.sum()), len(row)) for row in hits]
    low, high = np.array(intervals).T
    steps = np.arange(len(hits))
    axis.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
    axis.plot(steps, shares, marker=marker, color=colour, linewidth=1.8, label=label)
    axis.set_ylim(-0.04, 1.04)
    return {"shares": shares.tolist(), "low": low.tolist(), "high": high.tolist()}


def _draw_shares(axis: Axes, forks: Forks, reading: Reading, kind: str) -> dict[str, object]:
    same, correlations = forks.same(reading), forks.correlations().mean(axis=1)
    drawn = _band(axis, same, f"ends as {kind!r} too", OKABE_ITO[0], "o")
    axis.plot(correlations, "--", color=INK, linewidth=1.3, label="correlation of the pictures")
    axis.legend(fontsize=9, frameon=False, loc="lower right")
    axis.set_ylabel("share of forks", fontsize=9)
    return {
        **drawn,
        "correlations": correlations.tolist(),
        "settled_from_step": _settled(same),
    }


def _settled(same: NDArray[np.bool_]) -> int | None:
    """The first step from which on at least 95 % of the forks end alike."""
    alike = same.mean(axis=1) >= 0.95
    for step in range(len(alike)):
        if alike[step:].all():
            return step
    return None


def _draw_correlations(axis: Axes, correlations: NDArray[np.float64]) -> dict[str, object]:
    steps = np.arange(len(correlations))
    mean = correlations.mean(axis=1)
    low, high = correlations.min(axis=1), correlations.max(axis=1)
    axis.fill_between(steps, low, high, color=OKABE_ITO[0], alpha=0.2, linewidth=0)
    axis.plot(steps, mean, "o-", color=OKABE_ITO[0], linewidth=1.8)
    axis.set_ylabel("correlation", fontsize=9)
    axis.set_ylim(top=1.04)
    return {"correlations": mean.tolist(), "lowest": low.tolist(), "highest": high.tolist()}


def _draw_switch(
    axis: Axes, switched: Switch, reading: Reading, name: str, other: str
) -> dict[str, object]:
    kinds, first, second = switched.kinds(reading)
    words = reading.name(first), reading.name(second)
    old = _band(axis, kinds == first, f"ends as {words[0]!r} ({name})", OKABE_ITO[0], "o")
    new = _band(axis, kinds == second, f"ends as {words[1]!r} ({other})", OKABE_ITO[5], "s")
    axis.set_ylabel("share of walks", fontsize=9)
    axis.legend(fontsize=9, frameon=False, loc="center right")
    loses = np.flatnonzero((kinds == second).mean(axis=1) <= (kinds == first).mean(axis=1))
    return {
        "walks": int(kinds.shape[1]),
        "first": words[0],
        "second": words[1],
        "first_shares": old["shares"],
        "second_shares": new["shares"],
        "second_low": new["low"],
        "second_high": new["high"],
        "second_no_longer_wins_from_step": int(loses[0]) if len(loses) else None,
    }
