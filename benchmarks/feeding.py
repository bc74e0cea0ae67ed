"""How long training waits for its pictures: the share of a step that is spent on the batch.

Run: python benchmarks/feeding.py FOLDER [FOLDER ...] [--steps 10]

The run is the one that `imagespace train FOLDER` would choose. Batch and step are timed in turn, in
the loop's own order, after three of each that compile and warm up.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from imagespace.networks.transformer import TransformerConfig
from imagespace.pictures.folder import read_folder
from imagespace.recipes import PictureOptions, picture_config
from imagespace.text.vectors import load_text_encoder
from imagespace.training.loop import prepare
from imagespace.training.picture_data import PictureData


def waiting(folder: Path, num_steps: int) -> tuple[str, float, float]:
    """What is trained, and the median seconds of a batch and of a step."""
    config = picture_config(
        folder, PictureOptions(), {"budget_minutes": 1.0, "budget_images": None}, 0
    )
    network = config.model.network
    assert isinstance(network, TransformerConfig)
    pictures = read_folder(folder, network.image_size_px, network.num_channels)
    data = PictureData(config, pictures, load_text_encoder())
    state = prepare(config)
    batches, steps = [], []
    for _ in range(num_steps + 3):
        started = time.perf_counter()
        batch = data.batch(state.step)
        fed = time.perf_counter()
        state.update(*batch, 0.0)
        batches.append(fed - started)
        steps.append(time.perf_counter() - fed)
    what = f"{config.recipe}, {network.image_size_px} px, {network.num_channels} channels"
    return what, float(np.median(batches[3:])), float(np.median(steps[3:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    for folder in arguments.folders:
        what, batch_s, step_s = waiting(folder, arguments.steps)
        share = batch_s / (batch_s + step_s)
        print(f"{what}: batch {1000 * batch_s:.1f} ms, step {1000 * step_s:.0f} ms: {share:.2%}")


if __name__ == "__main__":
    main()
