"""An atlas and walks of made-up arrays, for what does not ask where they came from."""

import numpy as np

from imagespace.atlas.atlas import Atlas
from imagespace.atlas.density import density_of
from imagespace.atlas.map_walks import Walks, about_walks
from imagespace.atlas.sprites import Sprites


def plain_atlas(num: int = 60, **labels: list[str]) -> Atlas:
    """An atlas of random arrays: what is done with one does not ask where it came from."""
    random = np.random.default_rng(0)
    positions = random.normal(size=(num, 2)).astype(np.float32)
    score = {"neighbours": 1, "farthest": 1.0, "lengths_median": [0, 0], "lengths_reach": [1, 1]}
    return Atlas(
        positions=positions,
        coordinates=random.normal(size=(num, 5)).astype(np.float32),
        cluster_of=np.arange(num) % 2,
        cluster_names=["one", "two"],
        captions=["a picture"] * num,
        labels=labels,
        sprites=Sprites(random.integers(0, 256, (num, 24, 24, 1)).astype(np.uint8)),
        density=density_of(positions),
        rows=np.arange(num),
        basis={"centre": np.zeros(3, np.float32), "components": np.eye(3, dtype=np.float32)},
        about={
            "model_sha256": "0",
            "data_key": "1",
            "space": "pixel",
            "features": "",
            "seed": 0,
            "num": num,
        },
        scores={
            "projection": score,
            "trustworthiness": 0.9,
            "purity": {
                "left-right or top-bottom": {"map": 0.98, "space": 0.97, "majority": 0.77},
                "radical": {"map": 0.47, "space": 0.53, "majority": 0.05},
            },
        },
    )


def walks_of(atlas: Atlas) -> Walks:
    """Four walks of three steps that stay where they are, to be kept and read."""
    num, steps = 4, 3
    return Walks(
        positions=np.zeros((num, steps, 2), np.float32),
        nearest=np.zeros((num, steps), np.int64),
        ratio=np.ones((num, steps), np.float32),
        x_t_positions=np.zeros((num, steps, 2), np.float32),
        x_t_ratio=np.ones((num, steps), np.float32),
        seen=np.zeros((num, steps, 24, 24, 1), np.uint8),
        times=np.array([1, 0.6, 0.3], np.float32),
        prompts=["fish"] * num,
        about=about_walks(atlas, num, steps, 0, ["fish"]),
    )
