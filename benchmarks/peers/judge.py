"""Judges all samples under a folder of runs, and says how soon we are where each peer ends.

Run: python benchmarks/peers/judge.py RUNS --data DATA [--out judged.json]

Every `samples-*.npy` that a run.json names is compared with the same unseen real glyphs by the
unbiased kernel distance in the features that `imagespace evaluate` uses. A peer's end is the last
checkpoint of its best run; the time that we need for it is that of our shortest run whose distance
is no larger, on every extractor.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from glyph_rows import unseen_rows
from peer import IMAGE_SIZE_PX
from run_record import RUN_FILE, write_json

from imagespace.errors import UserError
from imagespace.evaluation.distances import Estimate, kernel_distance
from imagespace.evaluation.imagenet_features import ImageNetFeatures
from imagespace.evaluation.quality import Extractor
from imagespace.evaluation.random_features import RandomFeatures
from imagespace.evaluation.space_training import space_of
from imagespace.pictures.folder import PictureSet, read_folder
from imagespace.text.vectors import load_text_encoder

OURS = "imagespace"


def extractors(pictures: PictureSet) -> list[Extractor]:
    """The three that the evaluation uses; without the package two."""
    space, plain = space_of(pictures, load_text_encoder()), RandomFeatures(1)
    found = [
        Extractor(space.name, space.fingerprint, space),
        Extractor("random", plain.fingerprint, plain),
    ]
    try:
        imagenet = ImageNetFeatures()
    except UserError as error:
        print(f"note: {error}")
    else:
        found.append(Extractor("imagenet", imagenet.fingerprint, imagenet))
    return found


def drawn_samples(folder: Path) -> list[dict[str, Any]]:
    """One record for each array of samples below `folder`: whose, after how long, which file."""
    found = []
    for path in sorted(folder.rglob(RUN_FILE)):
        record = json.loads(path.read_text(encoding="utf-8"))
        for checkpoint in record["checkpoints"]:
            found.append(
                {
                    "peer": record.get("peer", OURS),
                    "run": str(path.parent.relative_to(folder)),
                    "setting": record.get("setting", "glyphs"),
                    "drawn": checkpoint.get("prompts", record.get("sampler", "")),
                    "minutes": checkpoint["seconds"] / 60,
                    "pictures_seen": checkpoint["pictures_seen"],
                    "num_samples": checkpoint["num_samples"],
                    "file": path.parent / checkpoint["samples"],
                }
            )
    if not found:
        raise UserError(str(folder), "holds no run.json with samples", "Run train.py and ours.py")
    return found


def judge(folder: Path, data: Path) -> dict[str, Any]:
    """All samples with their distances, and the floor between halves of the real glyphs."""
    pictures = read_folder(data, IMAGE_SIZE_PX, 1)
    rows = np.random.default_rng(0).permutation(unseen_rows(pictures))
    real, half = np.ascontiguousarray(pictures.pixels[rows]), len(rows) // 2
    samples = drawn_samples(folder)
    floor: dict[str, Any] = {}
    for extractor in extractors(pictures):
        features = extractor.features(real)
        floor[extractor.name] = vars(kernel_distance(features[:half], features[half:]))
        for record in samples:
            found = extractor.features(np.load(record["file"]))
            distance = vars(kernel_distance(found, features))
            record.setdefault("kernel_distance", {})[extractor.name] = distance
    for record in samples:
        record["file"] = str(record["file"].relative_to(folder))
    return {"num_real": len(rows), "floor": floor, "samples": samples}


def ends(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each peer: its best last checkpoint, and how soon ours is as near on every extractor."""
    ours = sorted((r for r in samples if r["peer"] == OURS), key=lambda r: float(r["minutes"]))
    found = []
    for peer in sorted({r["peer"] for r in samples} - {OURS}):
        last: dict[str, dict[str, Any]] = {}
        for record in (r for r in samples if r["peer"] == peer):
            if record["minutes"] >= last.get(record["run"], record)["minutes"]:
                last[record["run"]] = record
        best = min(last.values(), key=lambda r: float(r["kernel_distance"]["random"]["value"]))
        line: dict[str, Any] = {"peer": peer, "end": best, "ours": {}}
        for drawn in sorted({r["drawn"] for r in ours}):
            reached = [r for r in ours if r["drawn"] == drawn and as_near(r, best)]
            line["ours"][drawn] = reached[0]["minutes"] if reached else None
        found.append(line)
    return found


def as_near(record: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether one is no farther from real glyphs than another, on every extractor."""
    theirs = other["kernel_distance"]
    return all(d["value"] <= theirs[name]["value"] for name, d in record["kernel_distance"].items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="JSON of everything")
    args = parser.parse_args()
    report = judge(args.runs, args.data)
    report["ends"] = ends(report["samples"])
    for record in sorted(report["samples"], key=lambda r: (r["peer"], r["run"], r["minutes"])):
        numbers = "  ".join(
            f"{name} {Estimate(**d).value:.4g} ± {d['error']:.1g}"
            for name, d in record["kernel_distance"].items()
        )
        who = f"{record['run']} {record['drawn']}"
        seen, num = record["pictures_seen"], record["num_samples"]
        print(f"{who:50} {record['minutes']:6.2f} min {seen:8,} seen {num:4} drawn  {numbers}")
    for line in report["ends"]:
        for drawn, minutes in line["ours"].items():
            reached = "not reached" if minutes is None else f"{minutes:.1f} min"
            end = line["end"]["minutes"]
            print(
                f"{line['peer']} after {end:.1f} min ({line['end']['setting']}): "
                f"ours, {drawn}: {reached}"
            )
    if args.out is not None:
        write_json(args.out, report)


if __name__ == "__main__":
    main()
