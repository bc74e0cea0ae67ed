"""Finds a peer's best small setting: short runs of all candidates, ranked by kernel distances.

Run: python benchmarks/peers/sweep.py --data DATA --peer NAME --out FOLDER

Each candidate trains for the same few minutes and draws with its default sampler; the pictures are
compared with real unseen glyphs in random and in ImageNet features. The best one by the sum of its
ranks then draws with its other samplers. A candidate that is finished is not run again, so that a
sweep can be continued.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from glyph_rows import unseen_rows
from numpy.typing import NDArray
from peer import DEFAULT, IMAGE_SIZE_PX, PEERS, adapter
from run_record import FINISHED, RUN_FILE, write_json

from imagespace.errors import UserError
from imagespace.evaluation.distances import kernel_distance
from imagespace.evaluation.imagenet_features import ImageNetFeatures
from imagespace.evaluation.random_features import RandomFeatures
from imagespace.pictures.folder import read_folder

HERE = Path(__file__).parent
SWEEP_FILE = "sweep.json"


class Judge:
    """Kernel distances of samples to real unseen glyphs, in random and in ImageNet features.

    Without the package of the latter, in random features alone.
    """

    def __init__(self, data: Path) -> None:
        pictures = read_folder(data, IMAGE_SIZE_PX, 1)
        rows = np.random.default_rng(0).permutation(unseen_rows(pictures))
        self.extractors: dict[str, RandomFeatures | ImageNetFeatures] = {
            "random": RandomFeatures(1)
        }
        try:
            self.extractors["imagenet"] = ImageNetFeatures()
        except UserError as error:
            print(f"note: {error}")
        pixels = np.ascontiguousarray(pictures.pixels[rows])
        self.real = {name: extract(pixels) for name, extract in self.extractors.items()}
        self.num_real = len(rows)

    def distances(self, samples: NDArray[np.uint8]) -> dict[str, Any]:
        return {
            name: vars(kernel_distance(extract(samples), self.real[name]))
            for name, extract in self.extractors.items()
        }

    def floor(self) -> dict[str, Any]:
        """The same between two halves of the real glyphs."""
        half = self.num_real // 2
        return {
            name: vars(kernel_distance(real[:half], real[half:]))
            for name, real in self.real.items()
        }


def call(script: str, *words: str) -> None:
    """Runs a script beside this one in a process of its own, with memory of its own."""
    subprocess.run([sys.executable, str(HERE / script), *words], check=True)


def candidate(args: argparse.Namespace, setting: str) -> dict[str, Any]:
    """The record of a candidate's run, made now unless it is there."""
    folder = args.out / setting
    path = folder / RUN_FILE
    if path.is_file() and json.loads(path.read_text(encoding="utf-8"))["state"] != FINISHED:
        shutil.rmtree(folder)
    if not path.is_file():
        words = ["--data", str(args.data), "--peer", args.peer, "--setting", setting, "--at", "1"]
        words += ["--minutes", str(args.minutes), "--out", str(folder), *sampling(args)]
        call("train.py", *words, "--seed", str(args.seed))
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def sampling(args: argparse.Namespace) -> list[str]:
    words = ["--num-samples", str(args.num_samples)]
    words += ["--sampling-minutes", str(args.sampling_minutes)]
    return words + (["--threads", str(args.threads)] if args.threads else [])


def scored(judge: Judge, folder: Path, record: dict[str, Any], drawn: dict[str, Any]) -> Any:
    """One line of the ranking."""
    return {
        "setting": record["setting"],
        "sampler": drawn.get("sampler", record["sampler"]),
        "distances": judge.distances(np.load(folder / drawn["samples"])),
        "num_samples": drawn["num_samples"],
        "seconds_per_picture": drawn["seconds_per_picture"],
        "pictures_seen": record["pictures_seen"],
        "num_parameters": record["num_parameters"],
    }


def ranked(lines: list[Any]) -> list[Any]:
    """The lines by the sum of their ranks on all extractors; the first extractor breaks ties."""

    def rank(line: Any) -> tuple[int, float]:
        values = {name: d["value"] for name, d in line["distances"].items()}
        before = sum(
            other["distances"][name]["value"] < value
            for other in lines
            for name, value in values.items()
        )
        return before, next(iter(values.values()))

    return sorted(lines, key=rank)


def sweep(args: argparse.Namespace) -> dict[str, Any]:
    """The ranking of all candidates and of the best one's samplers; it stands in `args.out`."""
    module = adapter(args.peer)
    settings = args.settings or [name for name in module.SETTINGS if name != DEFAULT]
    judge = Judge(args.data)
    report: dict[str, Any] = {
        "peer": args.peer,
        "minutes": args.minutes,
        "num_real": judge.num_real,
        "floor": judge.floor(),
        "candidates": [],
        "failed": [],
        "samplers": [],
    }
    args.out.mkdir(parents=True, exist_ok=True)
    for setting in settings:
        try:
            record = candidate(args, setting)
        except subprocess.CalledProcessError:
            report["failed"].append(setting)
        else:
            drawn = record["checkpoints"][-1]
            line = scored(judge, args.out / setting, record, drawn)
            report["candidates"] = ranked([*report["candidates"], line])
        write_json(args.out / SWEEP_FILE, report)
    if not report["candidates"]:
        raise UserError(args.peer, "no candidate finished", "Read what the runs said above")
    best = report["candidates"][0]
    folder = args.out / best["setting"]
    report["samplers"] = [best]
    for sampler in module.samplers_of(module.SETTINGS[best["setting"]]):
        if sampler != best["sampler"]:
            call("draw.py", str(folder), "--sampler", sampler, *sampling(args))
            record = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
            drawn = next(d for d in record["drawn"] if d["sampler"] == sampler)
            line = scored(judge, folder, record, drawn)
            report["samplers"] = ranked([*report["samplers"], line])
    report["best"] = {key: report["samplers"][0][key] for key in ("setting", "sampler")}
    write_json(args.out / SWEEP_FILE, report)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="glyph data folder")
    parser.add_argument("--peer", choices=PEERS, required=True)
    parser.add_argument("--settings", nargs="+", help="all small ones unless given")
    parser.add_argument("--minutes", type=float, default=4, help="of training, each")
    parser.add_argument("--num-samples", type=int, default=200)
    parser.add_argument("--sampling-minutes", type=float, default=2, help="at most, each")
    parser.add_argument("--threads", type=int, help="of torch; all processors unless given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the run under way too
    try:
        report = sweep(args)
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command continues") from None
    for name in ("candidates", "samplers"):
        print(f"{name}:")
        for line in report[name]:
            distances = "  ".join(
                f"{name} {d['value']:9.5f} +- {d['error']:.5f}"
                for name, d in line["distances"].items()
            )
            print(
                f"  {distances}  {line['setting']}, {line['sampler']}, "
                f"{line['num_samples']} samples"
            )
    floor = ", ".join(f"{name} {d['value']:.5f}" for name, d in report["floor"].items())
    print(f"floor (real against real): {floor}")
    print(f"best: --setting {report['best']['setting']} --sampler {report['best']['sampler']}")


if __name__ == "__main__":
    main()
