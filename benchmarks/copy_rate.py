"""How many of a model's pictures are copies of training pictures?

Draws --num pictures, each from a definition that training never read, and compares it with every
training picture: a copy is nearer to one of them than a third of its distance to the next one.

Run: python benchmarks/copy_rate.py --model glyphs --data DATA --num 1000 --sheet closest.png
"""

import argparse
import json
from pathlib import Path

import numpy as np

from imagespace.errors import UserError
from imagespace.evaluation import wilson_interval
from imagespace.evaluation.copies import COMPARISON_SIZE_PX, COPY_RATIO, copy_rate
from imagespace.evaluation.held_out import unread_rows
from imagespace.pictures.contact_sheet import contact_sheet
from imagespace.pictures.folder import read_folder
from imagespace.pictures.split import TRAIN
from imagespace.pipeline import load, pixels_to_image

NUM_SHOWN = 24  # pairs on the sheet, the closest first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="glyphs", help="shipped name, run folder or file")
    parser.add_argument("--data", type=Path, required=True, help="the folder it was trained on")
    parser.add_argument("--num", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, default=Path("closest.png"))
    parser.add_argument("--out", type=Path, help="JSON report")
    args = parser.parse_args()
    model = load(args.model)
    channels, side_px, _ = model.config.picture_shape
    size_px = min(side_px, COMPARISON_SIZE_PX)
    pictures = read_folder(args.data, size_px, channels, fit=model.config.fit)
    training = pictures.indices(TRAIN)
    unread = np.random.default_rng(args.seed).permutation(unread_rows(pictures))
    if not len(unread):
        raise UserError(str(args.data), "it has no held-out definition", "Build the folder anew.")
    # More samples than definitions: the first ones are drawn again, from other noise.
    rows = unread[np.arange(args.num) % len(unread)]
    print(f"{min(len(unread), args.num)} held-out definitions")
    captions = [pictures.captions[row] for row in rows]
    settings = [
        model.settings(text, seed=args.seed + i, truncate=True)[0]
        for i, text in enumerate(captions)
    ]
    samples = model.draw(settings).pixels
    report = copy_rate(samples, pictures.pixels[training])
    # The same measure on real pictures that are no training pictures: what is not copying at all.
    real = copy_rate(pictures.pixels[rows], pictures.pixels[training])
    num_copies = int(report.is_copy.sum())
    low, high = wilson_interval(num_copies, len(samples))
    print(f"copies: {num_copies} of {len(samples)} = {report.rate:.1%} ({low:.1%} to {high:.1%})")
    for name, measured in (("drawn", report), ("real held-out", real)):
        median, least = np.median(measured.ratio), measured.ratio.min()
        print(f"  {name} pictures: ratio of distances median {median:.2f}, least {least:.2f}")
    print(f"  (a copy is below {COPY_RATIO:.2f}; {real.rate:.1%} of the real held-out ones are)")
    shown = np.argsort(report.ratio)[:NUM_SHOWN]
    pairs, labels = [], []
    for sample in shown:
        nearest = training[report.nearest[sample]]
        pairs += [pixels_to_image(samples[sample]), pixels_to_image(pictures.pixels[nearest])]
        labels += [captions[sample], f"{report.ratio[sample]:.2f}: {pictures.captions[nearest]}"]
    contact_sheet(pairs, labels, columns=8).save(args.sheet)
    print(f"closest pairs (drawn, then nearest training picture): {args.sheet}")
    if args.out is not None:
        summary = {
            "model": args.model,
            "model_sha256": model.sha256,
            "num": len(samples),
            "num_copies": num_copies,
            "rate": report.rate,
            "interval": [low, high],
            "ratio_quantiles": np.quantile(report.ratio, [0, 0.01, 0.1, 0.5]).tolist(),
            "rate_of_real_held_out_pictures": real.rate,
        }
        args.out.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
