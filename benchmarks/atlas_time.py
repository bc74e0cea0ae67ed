"""Wall time of `imagespace map`: the first run, the walks on it, and the run that finds all kept.

python benchmarks/atlas_time.py [--num 20000] [--walks 1000] [--steps 25]

The glyphs are rendered and packed before the clock starts, as a training run leaves them.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def timed(words: list[str], folder: str) -> float:
    """Seconds of one process."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "imagespace", "map", "glyphs", *words]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num", type=int, default=20_000)
    parser.add_argument("--walks", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=25)
    asked = parser.parse_args()
    import torch

    from imagespace.evaluation.subject import pictures_of
    from imagespace.pipeline import load

    pictures_of(load("glyphs"))
    with tempfile.TemporaryDirectory() as folder:
        num = ["--num", str(asked.num)]
        walks = ["--walks", str(asked.walks), "--steps", str(asked.steps)]
        found = {
            "map without walks, s": timed([*num, "--walks", "0"], folder),
            "walks on it, s": timed([*num, *walks], folder),
            "again, all kept, s": timed([*num, *walks], folder),
            "megabytes": sum(f.stat().st_size for f in Path(folder, "glyphs-atlas").iterdir())
            / 1e6,
        }
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
