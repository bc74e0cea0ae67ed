"""How purely axes turn on 100 pictures; writes a strip of the first ones. See docs/axes.md.

python benchmarks/axes_purity.py --axis brightness --num 100 --steps 5
python benchmarks/axes_purity.py --model RUN --axis greenness --prompts "cat" "blue car"
"""

import argparse
import time
from pathlib import Path

from imagespace.axes import purity, strip
from imagespace.axes.strip import sweep
from imagespace.pipeline import load
from imagespace.pipeline.axis import axes_folder, load_axis

GLYPHS = ["fish", "bird", "insect", "mountain", "silk", "tree", "water", "hand", "metal", "grass"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="glyphs")
    parser.add_argument("--axis", required=True)
    parser.add_argument("--prompts", nargs="+", default=GLYPHS)
    parser.add_argument("--num", type=int, default=100)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--values", nargs="+", type=float, default=[-3, -1.5, 0, 1.5, 3])
    parser.add_argument("--strip", type=Path)
    asked = parser.parse_args()
    model = load(asked.model)
    folder = axes_folder(model.source, model.sha256)
    axis = load_axis(folder, asked.axis, model.source, model.sha256)
    started = time.perf_counter()
    per_prompt = asked.num // len(asked.prompts)
    pixels = sweep(
        model, axis.name, asked.prompts, per_prompt, 0, asked.values, num_steps=asked.steps
    )
    found = purity(axis, pixels)
    for name, moved, drift in zip(found.attributes, found.moved, found.drift, strict=True):
        print(f"{name:<11} moved {moved:+.2f}  strayed {drift:.2f}")
    print(f"{found.summary}  ({time.perf_counter() - started:.0f} s)")
    if asked.strip is not None:
        shown = pixels[:, :: max(1, per_prompt)][:, :4]
        strip(shown, axis.name, asked.values).save(asked.strip)


if __name__ == "__main__":
    main()
