"""Which space keeps glyphs of a kind together: pixels, latents, random features, image-text space.

python benchmarks/atlas_spaces.py [--num 4000] [--seed 0] [--spaces pixel latent]

Printed: the share of the 15 nearest pictures that carry the same label, for each space, and the
share of 300 other real pictures that count as off its map. Labels of many kinds need enough
pictures to count: 214 radicals about 3,000 of them. Latents are those of the shipped autoencoder.
"""

import argparse
import json
import time

import numpy as np
import torch

from imagespace.atlas.building import chosen_rows
from imagespace.atlas.labels import label_columns
from imagespace.atlas.layout import NUM_NEIGHBOURS
from imagespace.atlas.map_scores import SIDES, purity
from imagespace.atlas.neighbours import nearest
from imagespace.atlas.projection import fit_projection
from imagespace.atlas.space import describe_features, describe_grid, fit_space
from imagespace.evaluation.random_features import RandomFeatures
from imagespace.evaluation.space_training import space_of
from imagespace.evaluation.subject import pictures_of
from imagespace.pipeline import from_pixels, load, load_autoencoder_by_name
from imagespace.text.vectors import load_text_encoder

SPACES = ("pixel", "latent", "random", "image-text")
NUM_OTHERS = 300


def latents(pixels: np.ndarray) -> np.ndarray:
    """Latents float16 [N, S, S, Z] of pixels uint8 [N, H, W, C]."""
    autoencoder, _ = load_autoencoder_by_name("glyphs-autoencoder")
    with torch.no_grad():
        found = [autoencoder.encode(x) for x in from_pixels(pixels).split(64)]
    return torch.cat(found).permute(0, 2, 3, 1).half().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spaces", nargs="+", choices=SPACES, default=SPACES)
    asked = parser.parse_args()
    pictures = pictures_of(load("glyphs"))
    rows = chosen_rows(len(pictures), asked.num, asked.seed)
    others = np.setdiff1d(np.arange(len(pictures)), rows)
    others = np.random.default_rng(asked.seed).choice(others, NUM_OTHERS, replace=False)
    pixels, new = (np.ascontiguousarray(pictures.pixels[some]) for some in (rows, others))
    labels = label_columns([pictures.metadata[row] for row in rows])
    for name in asked.spaces:
        started = time.perf_counter()
        read = latents if name == "latent" else np.asarray
        describe = describe_grid
        if name in ("random", "image-text"):
            extract = RandomFeatures(1) if name == "random" else None
            extract = extract or space_of(pictures, load_text_encoder())
            sample = extract(pixels[::10])
            describe = describe_features(extract, sample.mean(axis=0), sample.std(axis=0) + 1e-6)
        space, coordinates = fit_space(name, read(pixels), describe)
        indices, distances = nearest(coordinates, coordinates, NUM_NEIGHBOURS, skip_self=True)
        near = indices[:, :15]
        # Whether a picture is off the map does not depend on where the map has the others.
        projection, _ = fit_projection(coordinates, coordinates[:, :2], indices, distances)
        is_off = projection(space.coordinates(read(new))).is_off_map
        found = {"space": name, "num": len(rows), "explained": round(space.explained, 3)}
        found["off_map"] = round(float(is_off.mean()), 3)
        for label, column in labels.items():
            values = np.array(column)
            if set(SIDES) <= set(column):
                values = np.where(np.isin(values, SIDES), values, "")
            found[label] = round(purity(near, values), 3)
        print(json.dumps(found | {"seconds": round(time.perf_counter() - started, 1)}), flush=True)


if __name__ == "__main__":
    main()
