"""How purely an axis turns on 100 pictures; writes a strip of the first ones. See docs/axes.md.

Every prompt is drawn equally often: at least `--num` pictures in all. Without `--steps` a walk has
as many as the model draws with.

python benchmarks/axes_purity.py --axis brightness --num 100
python benchmarks/axes_purity.py --model RUN --axis greenness --prompts "cat" "blue car"
"""

import argparse
import time
from pathlib import Path

from imagespace.axes import purity, strip
from imagespace.axes.strip import SWEEP, sweep
from imagespace.pipeline import load
from imagespace.pipeline.axis import axes_folder, load_axis

GLYPHS = ["fish", "bird", "insect", "mountain", "silk", "tree", "water", "hand", "metal", "grass"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="glyphs")
    parser.add_argument("--axis", required=True)
    parser.add_argument("--prompts", nargs="+", default=GLYPHS)
    parser.add_argument("--num", type=int, default=100, help="rounded up to a multiple of prompts")
    parser.add_argument("--steps", type=int, help="of each walk; else the model's own")
    parser.add_argument("--values", nargs="+", type=float, default=list(SWEEP), help="rising")
    parser.add_argument("--strip", type=Path)
    asked = parser.parse_args()
    if asked.num < 1:
        parser.error(f"--num {asked.num}: at least one picture must be drawn")
    if len(asked.values) < 2 or asked.values != sorted(set(asked.values)):
        parser.error("--values: must be at least two, and rise")
    model = load(asked.model)
    folder = axes_folder(model.source, model.sha256)
    axis = load_axis(folder, asked.axis, model.source, model.sha256)
    started = time.perf_counter()
    per_prompt = -(-asked.num // len(asked.prompts))
    pixels = sweep(
        model, axis.name, asked.prompts, per_prompt, 0, asked.values, num_steps=asked.steps
    )
    found = purity(axis, pixels)
    for name, moved, drift in zip(found.attributes, found.moved, found.drift, strict=True):
        print(f"{name:<11} moved {moved:+.2f}  strayed {drift:.2f}")
    steps = asked.steps or model.config.sampling.num_steps
    print(
        f"{found.summary}; {len(asked.values)} values, walks of {steps} steps  "
        f"({time.perf_counter() - started:.0f} s)"
    )
    if asked.strip is not None:
        shown = pixels[:, ::per_prompt][:, :4]
        strip(shown, axis.name, asked.values).save(asked.strip)


if __name__ == "__main__":
    main()
