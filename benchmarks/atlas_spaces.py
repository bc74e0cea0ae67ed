"""Which space keeps glyphs of a kind together: pixels, random features, the image-text space.

python benchmarks/atlas_spaces.py [--num 4000] [--seed 0]

Printed: the share of the 15 nearest pictures that carry the same label, for each space. Labels of
many kinds need enough pictures to count: 214 radicals about 3,000 of them.
"""

import argparse
import json
import time

import numpy as np

from imagespace.atlas.building import chosen_rows
from imagespace.atlas.labels import label_columns
from imagespace.atlas.map_scores import SIDES, purity
from imagespace.atlas.neighbours import nearest
from imagespace.atlas.space import describe_features, describe_grid, fit_space
from imagespace.evaluation.random_features import RandomFeatures
from imagespace.evaluation.space_training import space_of
from imagespace.evaluation.subject import pictures_of
from imagespace.pipeline import load
from imagespace.text.vectors import load_text_encoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    pictures = pictures_of(load("glyphs"))
    rows = chosen_rows(len(pictures), asked.num, asked.seed)
    pixels = np.ascontiguousarray(pictures.pixels[rows])
    labels = label_columns([pictures.metadata[row] for row in rows])
    extractors = {
        "random": RandomFeatures(1),
        "image-text": space_of(pictures, load_text_encoder()),
    }
    for name in ("pixel", *extractors):
        started = time.perf_counter()
        if name == "pixel":
            _, coordinates = fit_space(name, pixels, describe_grid)
        else:
            sample = extractors[name](pixels[::10])
            known = sample.mean(axis=0), sample.std(axis=0) + 1e-6
            _, coordinates = fit_space(name, pixels, describe_features(extractors[name], *known))
        near, _ = nearest(coordinates, coordinates, 15, skip_self=True)
        found = {"space": name, "num": len(rows)}
        for label, column in labels.items():
            values = np.array(column)
            if set(SIDES) <= set(column):
                values = np.where(np.isin(values, SIDES), values, "")
            found[label] = round(purity(near, values), 3)
        print(json.dumps(found | {"seconds": round(time.perf_counter() - started, 1)}), flush=True)


if __name__ == "__main__":
    main()
