"""What a run leaves behind: run.json, and samples as they are drawn."""

import json
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

RUN_FILE = "run.json"
FINISHED, INTERRUPTED, RUNNING = "finished", "interrupted", "running"
SAMPLING_BATCH = 5  # pictures drawn at once; fixed, so that a seed gives the same pictures


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Writes the record whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)


def processor() -> str:
    """The processor's name as Linux gives it, else what platform knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def surroundings(packages: list[str]) -> dict[str, Any]:
    """Machine, threads, versions and date of a run."""
    return {
        "processor": processor(),
        "num_processors": os.cpu_count(),
        "num_threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ["torch", "imagespace", *packages]},
        "date": time.strftime("%Y-%m-%d"),
    }


def draw_to(
    path: Path, draw: Callable[[int, int], NDArray[np.uint8]], num: int, limit_s: float
) -> dict[str, Any]:
    """Draws up to `num` pictures into one .npy by `draw(first, num)`; a record of it.

    Stops before the batch that would exceed `limit_s`, after one batch at least. An interruption
    leaves what was drawn so far.
    """
    parts: list[NDArray[np.uint8]] = []
    started, longest = time.perf_counter(), 0.0
    try:
        for first in range(0, num, SAMPLING_BATCH):
            before = time.perf_counter()
            if parts and before - started + longest > limit_s:
                break
            parts.append(draw(first, min(SAMPLING_BATCH, num - first)))
            longest = max(longest, time.perf_counter() - before)
    finally:
        if parts:
            np.save(path, np.concatenate(parts))
    seconds, drawn = time.perf_counter() - started, sum(map(len, parts))
    return {
        "samples": path.name,
        "num_samples": drawn,
        "num_wanted": num,
        "sampling_seconds": round(seconds, 2),
        "seconds_per_picture": round(seconds / drawn, 4),
    }
