"""How long the points recipe takes on each set, and how near its draws come to fresh data.

Near: the energy distance E = 2 E|X - Y| - E|X - X'| - E|Y - Y'| of 5,000 draws from 5,000 fresh
points, beside that of other fresh points (what chance alone leaves).

Run: python benchmarks/points_training.py
"""

import json
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor

import imagespace
from imagespace.points import POINT_SETS, load_points
from imagespace.recipes import for_points, recipe
from imagespace.training.loop import train
from imagespace.training.point_data import PointData

NUM_COMPARED = 5000


def energy_distance(x: Tensor, y: Tensor) -> float:
    """Of two samples [N, D]; 0 for one distribution, up to sampling."""

    def mean_distance(a: Tensor, b: Tensor) -> float:
        return float(torch.cdist(a.double(), b.double()).mean())

    return 2 * mean_distance(x, y) - mean_distance(x, x) - mean_distance(y, y)


def main() -> None:
    results = {}
    for name in POINT_SETS:
        points = load_points(name)
        config = for_points(recipe("points", {}), points.shape[1])
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            for _ in train(config, PointData(config, points), Path(folder) / "run"):
                pass
            seconds = time.perf_counter() - started
            drawn = imagespace.load(Path(folder) / "run").sample(NUM_COMPARED)
        fresh, other = (load_points(name, NUM_COMPARED, seed) for seed in (1, 2))
        results[name] = {
            "training_seconds": round(seconds, 1),
            "energy_distance": round(energy_distance(drawn, fresh), 5),
            "of_fresh_points": round(energy_distance(other, fresh), 5),
        }
    print(json.dumps(results | {"num_threads": torch.get_num_threads()}, indent=1))


if __name__ == "__main__":
    main()
