"""How far a map can be trusted: trustworthiness, and the purity of labels among neighbours."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagespace.atlas.neighbours import nearest

NUM_NEIGHBOURS = 15
LARGEST_SAMPLE = 1000  # of trustworthiness, which ranks all pictures for each
SIDES = ("left-right", "top-bottom")


def trustworthiness(
    points: NDArray[np.float32],
    positions: NDArray[np.float32],
    num: int = NUM_NEIGHBOURS,
    rows: NDArray[np.int64] | None = None,
) -> float:
    """Whether neighbours on the map [N, 2] are neighbours in the space [N, D]; 1 is all.

    T(k) = 1 - 2 / (N k (2N - 3k - 1)) * sum over i, and over j among the k nearest of i on the map
    but not in the space, of (rank of j by distance from i in the space) - k. Venna and Kaski 2001.
    `rows` [M] are the i to sum over, the sum being scaled by N / M; else all.
    """
    total = len(points)
    rows = np.arange(total) if rows is None else rows
    on_map, _ = nearest(positions[rows], positions, num + 1)
    penalty = 0
    for i, near in zip(rows, on_map, strict=True):
        distances = ((points - points[i]).astype(np.float64) ** 2).sum(axis=1)
        distances[i] = -1.0  # itself has rank 0
        ranks = np.empty(total, np.int64)
        ranks[np.argsort(distances, kind="stable")] = np.arange(total)
        others = near[near != i][:num]
        penalty += int(np.maximum(ranks[others] - num, 0).sum())
    penalty_of_all = penalty * total / len(rows)
    return 1 - 2 * penalty_of_all / (total * num * (2 * total - 3 * num - 1))


def purity(neighbours: NDArray[np.int64], labels: NDArray[np.str_]) -> float:
    """Of the neighbours [N, k] of pictures that carry a label, the share that carry the same.

    Pictures without a label ("") do not count, neither as pictures nor as neighbours.
    """
    near = labels[neighbours]
    counted = (labels != "")[:, None] & (near != "")
    same = (near == labels[:, None]) & counted
    return float(same.sum() / max(counted.sum(), 1))


def score_map(
    coordinates: NDArray[np.float32],
    positions: NDArray[np.float32],
    neighbours: NDArray[np.int64],
    labels: dict[str, list[str]],
    seed: int,
) -> dict[str, Any]:
    """Trustworthiness on a sample; the purity of every label on the map and in the space.

    `neighbours` [N, k] are those in the space; beside the purities stands the share of the
    commonest label. Of glyphs the structure is left-right against top-bottom, others left out.
    """
    # Torch only where something is measured: a map that is read again does without.
    from imagespace.randomness import generator

    num = min(NUM_NEIGHBOURS, (len(positions) - 1) // 2)
    chosen = generator(seed, "atlas/scores").initial_seed()
    order = np.random.default_rng(chosen).permutation(len(positions))
    sample = np.sort(order[:LARGEST_SAMPLE])
    on_map, _ = nearest(positions, positions, NUM_NEIGHBOURS, skip_self=True)
    scores: dict[str, Any] = {
        "trustworthiness": trustworthiness(coordinates, positions, num, sample),
        "trustworthiness_neighbours": num,
        "trustworthiness_sample": len(sample),
        "purity_neighbours": on_map.shape[1],
        "purity": {},
    }
    for name, column in labels.items():
        values = np.array(column)
        if set(SIDES) <= set(column):
            values, name = np.where(np.isin(values, SIDES), values, ""), " or ".join(SIDES)
        counts = Counter(values[values != ""].tolist())
        scores["purity"][name] = {
            "map": purity(on_map, values),
            "space": purity(neighbours[:, :NUM_NEIGHBOURS], values),
            "majority": counts.most_common(1)[0][1] / counts.total(),
            "num_labels": len(counts),
            "num": counts.total(),
        }
    return scores
