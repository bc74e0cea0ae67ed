"""How well real held-out glyphs come back from their own noise: PSNR after inversion and redrawing.

Each glyph is inverted and redrawn under its own definition, without guidance.

Run: python benchmarks/inversion.py --data glyphs
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch

import imagespace
from imagespace.evaluation.subject import pictures_of
from imagespace.pipeline import start_from


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="built by `pictures build glyphs`")
    parser.add_argument("--model", default="glyphs")
    parser.add_argument("--num", type=int, default=8)
    parser.add_argument("--num-steps", type=int, default=50)
    args = parser.parse_args()
    model = imagespace.load(args.model)
    pictures = pictures_of(model, args.data)
    rows = pictures.indices("held_out")
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).numpy()
    found = []
    for row in rows[order[: args.num]]:
        caption = pictures.captions[row]
        path = args.data / str(pictures.metadata[row]["file_name"])
        start = start_from(path, inverted_prompt=caption)
        redrawn = model.generate(
            caption, start=start, truncate=True, num_steps=args.num_steps, guidance=1.0
        )
        error = redrawn.pixels[0].astype(float) - pictures.pixels[row]
        # Rounding to pixels leaves an error of its own; a perfect repeat counts as 1/255 off once.
        rms = max(1 / 255, float(np.sqrt(np.mean(error**2))))
        found.append(20 * math.log10(255 / rms))
    result = {
        "psnr_db": [round(value, 1) for value in found],
        "least_db": round(min(found), 1),
        "median_db": round(float(np.median(found)), 1),
        "num_steps": args.num_steps,
        "model": args.model,
        "torch": torch.__version__,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
