"""Judges all samples under a folder of runs, and says how soon we are where each peer ends.

Run: python benchmarks/peers/judge.py RUNS --data DATA [--out judged.json]

Every array of samples that a run.json names is compared with the same unseen real glyphs by the
unbiased kernel distance in the features that `imagespace evaluate` uses. `verdict.py` says what
counts as a peer's end and as being as near; `curves.py` draws what judged.json holds.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from glyph_rows import WITH_CAPTIONS, unseen_rows
from peer import IMAGE_SIZE_PX
from run_record import FINISHED, RUN_FILE, write_json
from verdict import OURS, ends

from imagespace.errors import UserError
from imagespace.evaluation.distances import Estimate, kernel_distance
from imagespace.evaluation.imagenet_features import ImageNetFeatures
from imagespace.evaluation.quality import Extractor
from imagespace.evaluation.random_features import RandomFeatures
from imagespace.evaluation.space_training import space_of
from imagespace.pictures.folder import PictureSet, read_folder
from imagespace.text.vectors import load_text_encoder

EQUAL_TERMS = ("data", "processor", "num_threads")


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
        if record["state"] != FINISHED:
            print(f"note: {path} is {record['state']}: left out")
            continue
        # What draw.py drew of the finished weights, with another sampler, counts as their end.
        end = {"seconds": record["seconds"], "pictures_seen": record["pictures_seen"]}
        later = [end | drawn for drawn in record.get("drawn", [])]
        for checkpoint in record["checkpoints"] + later:
            own_way = checkpoint.get("prompts") or checkpoint.get("sampler")
            found.append(
                {
                    "peer": record.get("peer", OURS),
                    "run": str(path.parent.relative_to(folder)),
                    "setting": record["setting"],
                    "seed": record["seed"],
                    "drawn": own_way or record["sampler"],
                    "budget_minutes": record["budget_seconds"] / 60,
                    "minutes": checkpoint["seconds"] / 60,
                    "equal_terms": [record[name] for name in EQUAL_TERMS],
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
    # ours.py draws for the captions of these very rows, in their order.
    has_caption = np.array([bool(pictures.captions[row]) for row in rows])
    captioned_first = np.argsort(~has_caption, kind="stable")
    samples = drawn_samples(folder)
    terms = {json.dumps(record.pop("equal_terms")) for record in samples}
    if len(terms) > 1:
        rule = f"its runs differ in {', '.join(EQUAL_TERMS)}: {' and '.join(sorted(terms))}"
        raise UserError(str(folder), rule, "Judge runs of one machine and one data folder together")
    floor: dict[str, Any] = {}
    for extractor in extractors(pictures):
        features = extractor.features(real)
        floor[extractor.name] = vars(kernel_distance(features[:half], features[half:]))
        for record in samples:
            found = extractor.features(np.load(record["file"]))
            is_paired = record["drawn"] == WITH_CAPTIONS
            num_pairs = min(len(found), int(has_caption.sum())) if is_paired else 0
            distance = vars(kernel_distance(found, features[captioned_first], num_pairs))
            record.setdefault("kernel_distance", {})[extractor.name] = distance
    for record in samples:
        record["file"] = str(record["file"].relative_to(folder))
    return {"num_real": len(rows), "floor": floor, "samples": samples}


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
        near = ", ".join(f"{name} {end['value']:.4g}" for name, end in line["nearest"].items())
        print(f"{line['peer']} ends after {line['minutes']:g} min at {near}. As near are:")
        for way, minutes in line["ours"].items():
            when = ", ".join(
                f"{name} {'not reached' if at is None else f'{at:.1f} min'}"
                for name, at in minutes.items()
            )
            print(f"  {way}: {when}")
    if args.out is not None:
        write_json(args.out, report)


if __name__ == "__main__":
    main()
