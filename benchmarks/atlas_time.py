"""Wall time of `imagespace map`: the first run, the walks on it, and what runs that keep them take.

python benchmarks/atlas_time.py [--num 20000] [--walks 1000] [--steps 25] [--out FOLDER]

Rendering the glyphs and packing their pixels, which a training run leaves behind, are timed by
themselves; the runs find both done. Beside the walks stands what their matrix products alone would
take at the best rate that this machine multiplies large matrices with: no arithmetic of the network
can be faster.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch

from imagespace.evaluation.subject import pictures_of
from imagespace.networks.transformer import training_flops_per_picture
from imagespace.pictures.folder import read_folder
from imagespace.pictures.glyphs import build_glyphs
from imagespace.pipeline import Model, load
from imagespace.precision import fastest_dtype, matrix_product_rate


def seconds(work: Callable[[], object]) -> float:
    """Seconds of some work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def process(words: list[str], folder: str) -> None:
    """`imagespace map glyphs WORDS` in a process of its own."""
    command = [sys.executable, "-m", "imagespace", "map", "glyphs", *words]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def asks_of_a_walk(model: Model, num_steps: int) -> int:
    """How many pictures the network answers for in one walk under a prompt, counted."""
    sizes: list[int] = []
    hook = model.network.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    for _ in model.walk("fish", 1, 0, num_steps=num_steps):
        pass
    hook.remove()
    return sum(sizes)


def products_of_walks(model: Model, num: int, num_steps: int) -> dict[str, float]:
    """The products of `num` walks in seconds, at this machine's best rate with these threads."""
    dtype = fastest_dtype()
    rate = matrix_product_rate(dtype, seconds=2)
    asks = asks_of_a_walk(model, num_steps)
    # The forward pass is a third of forward and backward, and no less.
    flops = num * asks * training_flops_per_picture(model.config.network) / 3
    return {
        "network asked in a walk, times": asks,
        "products of the walks, TFLOP": flops / 1e12,
        f"products of {str(dtype).removeprefix('torch.')}, GFLOP/s": rate / 1e9,
        "the walks' products alone, s": flops / rate,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--num", type=int, default=20_000)
    parser.add_argument("--walks", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--out", help="an empty folder in which the atlas stays")
    asked = parser.parse_args()
    if asked.out is not None and Path(asked.out, "glyphs-atlas").exists():
        parser.error(f"--out {asked.out}: holds an atlas already; name another folder")
    model = load("glyphs")
    channels, size_px, _ = model.config.picture_shape
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "glyphs")
        found["rendering the glyphs, s"] = seconds(lambda: build_glyphs(made, size_px))
        found["packing them, s"] = seconds(lambda: read_folder(made, size_px, channels))
    pictures_of(model)
    with tempfile.TemporaryDirectory() if asked.out is None else nullcontext(asked.out) as folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        num = ["--num", str(asked.num)]
        walks = [*num, "--walks", str(asked.walks), "--steps", str(asked.steps)]
        for name, words in {
            "map without walks, s": [*num, "--walks", "0"],
            "walks on it, s": walks,
            "again, all kept, s": walks,
            "again in another colour, s": [*walks, "--colour", "structure"],
        }.items():
            found[name] = seconds(lambda words=words: process(words, folder))
        kept = Path(folder, "glyphs-atlas").iterdir()
        found["megabytes"] = sum(file.stat().st_size for file in kept) / 1e6
    found |= products_of_walks(model, asked.walks, asked.steps)
    found = {name: round(value, 1) for name, value in found.items()}
    machine = {
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    print(json.dumps({**vars(asked), **found, **machine}, indent=1))


if __name__ == "__main__":
    main()
