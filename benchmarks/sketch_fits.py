"""How much of the pictures' variance fitted sketches explain, by side, width, steps and dropout.

Of training pictures, unseen ones (validation) and, where the set has them, held-out pairs of
concept and style; each under its full caption, at 16 px whatever the sketch's side.

Run: python benchmarks/sketch_fits.py DATA --recipe emoji --side 32 --width 768 --steps 2500
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from imagespace.networks.sketch import Sketch, pooled_text
from imagespace.networks.transformer import TransformerConfig
from imagespace.pictures.folder import read_folder
from imagespace.recipes import recipe
from imagespace.text.vectors import load_text_encoder
from imagespace.training import sketch_fit
from imagespace.training.picture_data import PictureData

COMPARED_PX, NUM_TRAIN = 16, 2000


def explained(sketch: Sketch, data: PictureData, rows: NDArray[np.int64]) -> float:
    """1 - |sketch - x_0|^2 / |x_0 - mean|^2 of these rows, at 16 px."""
    assert data.encoder is not None
    captions = [data.pictures.captions[row] for row in rows]
    length = data.config.model.network.max_text_tokens
    text = data.encoder.states(data.encoder.encode(captions, length).token_ids)
    small = F.adaptive_avg_pool2d(data.clean_samples(rows), COMPARED_PX)
    with torch.no_grad():
        found = F.adaptive_avg_pool2d(sketch(pooled_text(text)), COMPARED_PX)
    missed = (found - small).square().mean() / (small - small.mean(dim=0)).square().mean()
    return 1 - missed.item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipe", choices=("glyphs", "emoji"), default="emoji")
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--steps", type=int, default=sketch_fit.MOST_STEPS)
    parser.add_argument("--dropout", type=float, default=sketch_fit.DROPOUT)
    parser.add_argument("--alternatives", type=float, help="chance of one, else the recipe's")
    args = parser.parse_args()
    config = recipe(args.recipe, {"budget_images": 10**9, "budget_minutes": None})
    if args.alternatives is not None:
        changes = {"alternative_caption": args.alternatives}
        training = config.training.model_copy(update=changes)
        config = config.model_copy(update={"training": training})
    network = config.model.network
    assert isinstance(network, TransformerConfig)
    pictures = read_folder(args.data, network.image_size_px, network.num_channels)
    data = PictureData(config, pictures, load_text_encoder())
    torch.manual_seed(config.training.seed)
    sketch = Sketch(network.text_width, args.width, network.num_channels, args.side)
    sketch_fit.MOST_STEPS, sketch_fit.MOST_PASSES = args.steps, 10**9
    sketch_fit.DROPOUT = args.dropout
    started = time.monotonic()
    sketch_fit.fit_sketch(sketch, data.rows, data.sketch_batch, config.training)
    print(f"{args.steps} steps in {time.monotonic() - started:.0f} s")
    order = torch.randperm(len(data.rows)).numpy()
    pairs = [i for i, row in enumerate(pictures.metadata) if row.get("held_out") == "pair"]
    groups = {
        "training": data.rows[order[:NUM_TRAIN]],
        "validation": pictures.indices("validation"),
        "held-out pairs": np.array(pairs, np.int64),
    }
    for name, rows in groups.items():
        if len(rows):
            print(f"{name:14} {explained(sketch, data, rows):6.1%} of {len(rows)}")


if __name__ == "__main__":
    main()
