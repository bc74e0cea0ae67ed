"""What pixels and latents cost: time and memory of a training step and of a drawn picture.

    python benchmarks/space_cost.py [--quick] [--autoencoder NAME] [--out FILE]

The same transformer (`--network`, 8 x 8 patches) in both spaces, through the code that `imagespace
train` and `imagespace generate` run, with random weights: this is cost, not quality. A process of
its own for each row, so that its peak memory is its own. Latents of training are read from the
cache, so that a step does not encode; the one-off encoding has a column. A drawn picture includes
its decoding. Times are the processor's, all threads together, so that other work on the machine
does not count. Without `--autoencoder` one of random weights is timed, of the shape that the recipe
of autoencoders has for colour.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imagespace.checkpoints import tensors_sha256
from imagespace.networks.autoencoder import Autoencoder
from imagespace.networks.build import build_network
from imagespace.pictures.folder import PictureSet
from imagespace.pipeline import Model, load_autoencoder_by_name
from imagespace.recipes import Budget, in_latents, recipe
from imagespace.recipes.autoencoder import autoencoder_shape
from imagespace.recipes.folder import NUM_PATCHES_A_SIDE
from imagespace.recipes.named import network_sized
from imagespace.text.vectors import load_text_encoder
from imagespace.training.config import RunConfig
from imagespace.training.latent_data import LatentData
from imagespace.training.loop import prepare
from imagespace.training.picture_data import PictureData

SIZES_PX, SPACES = (64, 128, 256, 512), ("pixel", "latent")


def random_pictures(num: int, size_px: int) -> PictureSet:
    """Coloured noise with captions: its content does not change the cost."""
    pixels = np.random.default_rng(0).integers(0, 256, (num, size_px, size_px, 3), dtype=np.uint8)
    rows = [{"text": "a red fish", "also": []} for _ in range(num)]
    splits = np.array(["train"] * num)
    captions = ["a red fish"] * num
    return PictureSet(pixels, captions, [[] for _ in rows], splits, rows, f"noise-{size_px}", [])


def configured(size_px: int, network_size: int, batch_size: int, compiled: bool) -> RunConfig:
    """The pictures recipe in colour at this size."""
    budget: Budget = {"budget_images": 10**9, "budget_minutes": None}
    config = network_sized(recipe("pictures", budget), network_size)
    changes = {"image_size_px": size_px, "patch_size_px": size_px // NUM_PATCHES_A_SIDE}
    network = config.model.network.model_copy(update=changes)
    training = config.training.model_copy(update={"batch_size": batch_size, "compile": compiled})
    model = config.model.model_copy(update={"network": network})
    return config.model_copy(update={"model": model, "training": training})


def one_row(arguments: argparse.Namespace) -> dict[str, Any]:
    """The cost of one space at one size, in this process."""
    warnings.simplefilter("ignore")
    size_px, space = arguments.size, arguments.space
    config = configured(size_px, arguments.network, arguments.batch_size, not arguments.quick)
    encoder = load_text_encoder()
    pictures = random_pictures(arguments.batch_size, size_px)
    data: PictureData
    autoencoder, encode_ms = None, 0.0
    if space == "latent":
        if arguments.autoencoder is not None:
            autoencoder, sha256 = load_autoencoder_by_name(arguments.autoencoder)
        else:
            autoencoder = Autoencoder(autoencoder_shape(num_channels=3)).eval()
            sha256 = tensors_sha256(autoencoder.requires_grad_(False).state_dict())
        config = in_latents(config, autoencoder.config, sha256)
        with tempfile.TemporaryDirectory() as folder:
            started = time.process_time()
            data = LatentData(config, pictures, encoder, autoencoder, Path(folder))
            encode_ms = 1000 * (time.process_time() - started) / len(pictures)
            data.batch(0)  # mapped before the file is gone
    else:
        data = PictureData(config, pictures, encoder)
    state, steps = prepare(config), []
    for step in range(arguments.repeats + 2):  # the first compile and warm up
        started = time.process_time()
        state.update(*data.batch(step), 1.0)
        steps.append(time.process_time() - started)
    training_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    model = Model(
        config.model.model_copy(update={"text_fingerprint": encoder.fingerprint}),
        build_network(config.model.network),
        encoder,
        "",
        "random",
        autoencoder,
    )
    num = arguments.num_drawn
    model.generate("a red fish", num, num_steps=1)
    started = time.process_time()
    model.generate("a red fish", num)
    drawn_ms = 1000 * (time.process_time() - started) / num
    samples = torch.randn(num, *config.model.network.sample_shape)
    started = time.process_time()
    model.pixels(samples)
    return {
        "size_px": size_px,
        "space": space,
        "sample": "x".join(map(str, config.model.network.sample_shape)),
        "parameters": sum(p.numel() for p in state.network.parameters()),
        "step_ms": round(1000 * min(steps[2:]), 1),
        "step_ms_per_picture": round(1000 * min(steps[2:]) / arguments.batch_size, 2),
        "encode_ms": round(encode_ms, 1),
        "drawn_ms": round(drawn_ms, 1),
        "of_which_decoding_ms": round(1000 * (time.process_time() - started) / num, 1),
        "training_gb": round(training_gb, 2),
        "num_steps": config.model.sampling.num_steps,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="small batches, few repeats, nothing compiled"
    )
    parser.add_argument(
        "--autoencoder",
        help="a shipped one of colour, a run folder or a file; else random",
    )
    parser.add_argument("--network", type=int, default=6)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--num-drawn", type=int)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES_PX))
    parser.add_argument("--out", type=Path, help="JSON lines, appended")
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--space", choices=SPACES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.batch_size = arguments.batch_size or (16 if arguments.quick else 64)
    arguments.repeats = arguments.repeats or (2 if arguments.quick else 5)
    arguments.num_drawn = arguments.num_drawn or (2 if arguments.quick else 8)
    if arguments.size is not None:
        print(json.dumps(one_row(arguments)))
        return
    print(
        f"{platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads, "
        f"batch {arguments.batch_size}, network {arguments.network}"
    )
    print("size  space   sample      step ms  encode ms  drawn ms  (decoding)  peak GB  parameters")
    for size_px in arguments.sizes:
        for space in SPACES:
            words = [*sys.argv[1:], "--size", str(size_px), "--space", space]
            done = subprocess.run(
                [sys.executable, __file__, *words], capture_output=True, text=True, check=True
            )
            row = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{size_px:4}  {space:6}  {row['sample']:10} {row['step_ms']:8.0f} "
                f"{row['encode_ms']:10.1f} {row['drawn_ms']:9.0f} "
                f"{row['of_which_decoding_ms']:11.1f} {row['training_gb']:8.2f} "
                f"{row['parameters']:11,}",
                flush=True,
            )
            if arguments.out is not None:
                with arguments.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
