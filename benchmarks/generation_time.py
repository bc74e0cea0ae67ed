"""Wall time and peak memory of whole commands, start-up included, each the best and worst of five.

python benchmarks/generation_time.py [--repeats 5]
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time

COMMANDS = {
    "imagespace --help": ["--help"],
    'imagespace generate "fish" --num 16': [
        "generate",
        "fish",
        "--num",
        "16",
        "--out",
        "f.png",
        "--overwrite",
    ],
}


def timed(words: list[str]) -> tuple[float, float]:
    """Seconds and peak resident GB of one process."""
    start = time.perf_counter()
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "imagespace", *words],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{words} failed")
    return time.perf_counter() - start, usage.ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    report: dict[str, object] = {
        "machine": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "date": time.strftime("%Y-%m-%d"),
    }
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, words in COMMANDS.items():
            runs = [timed(words) for _ in range(repeats)]
            seconds = [run[0] for run in runs]
            report[name] = {
                "seconds_best": min(seconds),
                "seconds_worst": max(seconds),
                "peak_memory_gb": max(run[1] for run in runs),
            }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
