"""Time and peak memory of reading a folder of many small pictures: first, again, after a kill.

    python benchmarks/folder_cache.py --folder many --num 200000

The folder is made if it is not there: PNG pictures of 64 px in colour, 100 class folders. Each
reading is a process of its own, so that its peak memory is its own.
"""

import argparse
import multiprocessing
import os
import resource
import shutil
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image

from imagespace.pictures.file_walk import CACHE_FOLDER
from imagespace.pictures.folder import read_folder

SIZE_PX, NUM_CHANNELS, NUM_FOLDERS = 64, 3, 100


def make_pictures(folder: Path, num: int) -> None:
    """Every picture another: its own two colours in its own mixture, and some noise."""
    random = np.random.default_rng(0)
    ramp = np.linspace(0, 1, SIZE_PX)[:, None, None]
    noise = random.normal(0, 3, (SIZE_PX, SIZE_PX, 3))
    for number in range(num):
        first, second = divmod(number % NUM_FOLDERS, 10)
        place = folder / f"kind {'bcdfghklmn'[first]}a{'bcdfghklmn'[second]}"
        if number < NUM_FOLDERS:
            place.mkdir(parents=True, exist_ok=True)
        top, bottom = random.integers(0, 256, (2, 3))
        values = np.clip(top * ramp + bottom * (1 - ramp) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(values).save(place / f"{number:06}.png", compress_level=1)


def _read(folder: Path, answer: Connection, die_at: int | None) -> None:
    """One reading, in its own process, which kills itself at picture `die_at`."""
    seen: list[int] = []

    def progress(done: int, total: int) -> None:
        seen.append(done)
        if die_at is not None and done >= die_at:
            answer.send(done)
            os.kill(os.getpid(), signal.SIGKILL)

    started, used = time.perf_counter(), time.process_time()
    pictures = read_folder(folder, SIZE_PX, NUM_CHANNELS, progress)
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - used
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    first = seen[0] if seen else 0
    answer.send((len(pictures), pictures.recognised, pictures.key, wall_s, cpu_s, peak_gb, first))


def reading(folder: Path, what: str, die_at: int | None = None) -> None:
    """Runs one reading and prints what it took."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_read, args=(folder, there, die_at))
    process.start()
    answer = here.recv()
    process.join()
    if isinstance(answer, int):
        print(f"{what}: killed after {answer:,} pictures", flush=True)
        return
    num, recognised, key, wall_s, cpu_s, peak_gb, first = answer
    begun = f", first report at {first:,}" if first else ""
    print(
        f"{what}: {num:,} pictures in {wall_s:.1f} s ({cpu_s:.1f} s of CPU), "
        f"peak {peak_gb:.2f} GB, key {key[:8]}{begun} [{recognised}]",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--num", type=int, default=200_000)
    args = parser.parse_args()
    if not args.folder.exists():
        started = time.perf_counter()
        make_pictures(args.folder, args.num)
        print(f"made {args.num:,} pictures in {time.perf_counter() - started:.0f} s", flush=True)
    cache = args.folder / CACHE_FOLDER
    shutil.rmtree(cache, ignore_errors=True)
    reading(args.folder, "first")
    reading(args.folder, "again")
    shutil.rmtree(cache)
    reading(args.folder, "to be killed", die_at=args.num // 2)
    reading(args.folder, "continued")


if __name__ == "__main__":
    main()
