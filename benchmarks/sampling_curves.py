"""How many steps, and how much guidance: quality and prompt following along both, same seeds.

    python benchmarks/sampling_curves.py --model glyphs --data glyphs [--num 150] [--out FILE]
        [--steps 8 12 16 20 28 40] [--guidances 1 2 3 4 6]

Every point draws the same captions of unseen pictures from the same seeds. Printed for each:
kernel distances to the unseen pictures in random and ImageNet features, the share whose radical is
that of the prompt's own character, and seconds a picture. `imagespace evaluate --curves` draws
such curves in its report, of 400 pictures and for any set; this is the shorter way to two tables.
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

from imagespace.errors import UserError
from imagespace.evaluation import prompt_following
from imagespace.evaluation.distances import kernel_distance
from imagespace.evaluation.imagenet_features import ImageNetFeatures
from imagespace.evaluation.radical_judge import load_radical_judge
from imagespace.evaluation.random_features import RandomFeatures
from imagespace.evaluation.subject import Subject
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import load
from imagespace.precision import fastest_dtype


def measured(subject: Subject, real: dict[str, Any], **sampling: Any) -> dict[str, Any]:
    """One point: what these settings draw, and how long it takes."""
    started = time.perf_counter()
    samples = subject.draw(subject.settings(**sampling))
    seconds = (time.perf_counter() - started) / len(samples)
    point: dict[str, Any] = {"setting": sampling, "seconds_per_picture": round(seconds, 3)}
    point["kernel_distance"] = {
        name: vars(kernel_distance(extract(samples), features, subject.num_pairs))
        for name, (extract, features) in real.items()
    }
    point["radical"] = prompt_following.radicals(subject, load_radical_judge(), samples)["samples"]
    return point


def row(point: dict[str, Any]) -> str:
    distances = "  ".join(
        f"{name} {1000 * d['value']:7.2f} ± {1000 * d['error']:.2f}"
        for name, d in point["kernel_distance"].items()
    )
    (name, value), radical = *point["setting"].items(), point["radical"]
    return (
        f"{name} {value:<5g} {distances}  radical {radical['value']:.1%} ± {radical['error']:.1%}"
        f"  {point['seconds_per_picture']:.2f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="glyphs")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--num", type=int, default=150)
    parser.add_argument("--num-real", type=int, default=2000)
    parser.add_argument("--steps", type=int, nargs="*", default=[8, 12, 16, 20, 28, 40])
    parser.add_argument("--guidances", type=float, nargs="*", default=[1, 2, 3, 4, 6])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON of all points")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    model = load(args.model)
    channels, height, _ = model.config.picture_shape
    pictures = read_folder(args.data, height, channels)
    everyone = Subject(model, pictures, args.num_real, args.seed)  # those of the prompts come first
    unseen = everyone.pixels(everyone.unseen)
    extractors: dict[str, Any] = {"random": RandomFeatures(channels)}
    try:
        extractors["imagenet"] = ImageNetFeatures()
    except UserError as error:
        print(f"note: {error}")
    real = {name: (extract, extract(unseen)) for name, extract in extractors.items()}
    subject = Subject(model, pictures, args.num, args.seed, fastest_dtype())
    print(
        f"1000 x kernel distances of {args.num} pictures to {len(unseen)} unseen ones", flush=True
    )
    points = []
    for sampling in [{"num_steps": n} for n in args.steps] + [
        {"guidance": g} for g in args.guidances
    ]:
        points.append(measured(subject, real, **sampling))
        print(row(points[-1]), flush=True)
        if args.out is not None:
            args.out.write_text(json.dumps(points, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
