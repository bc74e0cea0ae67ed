"""Pixels against latents at equal training time on one folder: which draws better pictures?

    python benchmarks/space_quality.py FOLDER --autoencoder FILE --out RUNS
        [--sizes 64 128 256] [--minutes 30] [--seeds 0] [--num 400] [--network 6]

Trains the pictures recipe in both spaces for the same minutes at each size, then draws one picture
for each of `--num` unseen captions with the same seeds, and compares with the unseen pictures:
kernel (KID) and Frechet distance in random features and, where its package is installed, in
ImageNet features, and how often the caption is found among 100 (R@5) by the image-text space that
is learnt on the folder. `--count-encoding` takes the seconds that encoding took off the latent
run's minutes; what the autoencoder's own training cost is for the reader to add. A row of the
floor, "autoencoder", scores the real unseen pictures after encode and decode: no latent model
can be expected below it. Everything is kept in RUNS: the same command goes on where it stopped.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from imagespace.errors import UserError
from imagespace.evaluation import prompt_following
from imagespace.evaluation.distances import frechet_distance, kernel_distance
from imagespace.evaluation.image_text_space import ImageTextSpace
from imagespace.evaluation.imagenet_features import ImageNetFeatures
from imagespace.evaluation.random_features import RandomFeatures
from imagespace.evaluation.space_training import space_of
from imagespace.evaluation.subject import Subject
from imagespace.pictures.contact_sheet import contact_sheet
from imagespace.pictures.folder import PictureSet, read_folder
from imagespace.pipeline import (
    Model,
    from_pixels,
    load,
    load_autoencoder_by_name,
    pixels_to_image,
)
from imagespace.pipeline.loading import autoencoder_file
from imagespace.recipes import Budget, PictureOptions, picture_config
from imagespace.text.vectors import load_text_encoder
from imagespace.training.config import RunConfig
from imagespace.training.latent_data import LatentData
from imagespace.training.loop import train
from imagespace.training.picture_data import PictureData

SPACES = ("pixel", "latent")
Extract = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
NUM_SHOWN = 24
MEASURES = ("random_kid", "random_frechet", "imagenet_kid", "imagenet_frechet", "R@5")


def trained(
    arguments: argparse.Namespace, size_px: int, space: str, seed: int
) -> tuple[Model, PictureSet, dict[str, Any]]:
    """The model of one run, trained or continued, its pictures and what it cost."""
    name = str(autoencoder_file(arguments.autoencoder)) if space == "latent" else None
    asked = PictureOptions(
        "pictures", size=size_px, network=arguments.network, space=space, autoencoder=name
    )
    out = arguments.out / f"{space}-{size_px}-seed-{seed}"
    cost_file = out.with_suffix(".encoding.json")
    cost = json.loads(cost_file.read_text()) if cost_file.is_file() else {}

    def minutes_left() -> float:
        spent_s = cost.get("encoding_s", 0.0) if arguments.count_encoding else 0.0
        return max(arguments.minutes - spent_s / 60, 1 / 60)

    def configured() -> RunConfig:
        budget: Budget = {"budget_images": None, "budget_minutes": minutes_left()}
        return picture_config(arguments.folder, asked, budget, seed)

    config = configured()
    channels, _, _ = config.model.picture_shape
    pictures = read_folder(arguments.folder, size_px, channels, None, config.model.fit)
    encoder = load_text_encoder()
    data: PictureData
    if name is None:
        data = PictureData(config, pictures, encoder)
    else:
        autoencoder, _ = load_autoencoder_by_name(name)
        started = time.perf_counter()
        data = LatentData(config, pictures, encoder, autoencoder, arguments.folder)
        if not cost:
            cost = {"encoding_s": round(time.perf_counter() - started, 1)}
            out.parent.mkdir(parents=True, exist_ok=True)
            cost_file.write_text(json.dumps(cost))
            if arguments.count_encoding:
                config = configured()
                data = LatentData(config, pictures, encoder, autoencoder, arguments.folder)
    seen = 0
    for progress in train(data.config, data, out):
        seen = progress.num_images
    if not seen:  # it had been trained before
        lines = (out / "metrics.jsonl").read_text().splitlines()
        seen = max(json.loads(line).get("num_images", 0) for line in lines)
    return load(out), pictures, cost | {"num_images": seen}


def extractors(channels: int) -> dict[str, Extract]:
    """By name, what pictures are compared in; a missing package leaves one out."""
    found: dict[str, Extract] = {"random": RandomFeatures(channels)}
    try:
        found["imagenet"] = ImageNetFeatures()
    except UserError as error:
        print(f"left out: {error}")
    return found


def scores(drawn: NDArray[np.uint8], real: NDArray[np.uint8], num_pairs: int) -> dict[str, Any]:
    """Kernel and Frechet distances of two sets of pictures in each kind of features.

    The first `num_pairs` drawn are of the captions of the real ones, or their copies.
    """
    found: dict[str, Any] = {}
    for name, extract in extractors(real.shape[3]).items():
        first, second = extract(drawn), extract(real)
        kernel = partial(kernel_distance, num_pairs=num_pairs)
        for label, distance in (("kid", kernel), ("frechet", frechet_distance)):
            try:
                found[f"{name}_{label}"] = asdict(distance(first, second))
            except UserError as error:  # fewer pictures than features
                found[f"{name}_{label}"] = {"refused": str(error)}
    return found


def judged(
    arguments: argparse.Namespace, size_px: int, seed: int, space: str, place: Path
) -> list[dict[str, Any]]:
    """The rows of one model; of a latent one also that of its autoencoder on real pictures."""
    model, pictures, cost = trained(arguments, size_px, space, seed)
    subject = Subject(model, pictures, arguments.num, 0)
    if not subject.has_unseen:
        raise UserError(
            str(arguments.folder),
            "has no unseen captioned pictures to compare with",
            "Mark some with split held_out",
        )
    real = subject.pixels(subject.unseen)
    started = time.perf_counter()
    drawn = subject.draw(subject.settings())
    row: dict[str, Any] = {"size_px": size_px, "seed": seed, "space": space, **cost}
    row["seconds_per_picture"] = round((time.perf_counter() - started) / len(drawn), 3)
    row |= scores(drawn, real, subject.num_pairs)
    if not arguments.skip_retrieval:
        row["R@5"] = retrieval(subject, drawn, learnt_space(pictures))
    captions = [pictures.captions[i][:22] for i in subject.unseen[:NUM_SHOWN]]
    images = [pixels_to_image(pixels) for pixels in drawn[:NUM_SHOWN]]
    contact_sheet(images, captions, 8).save(place)
    rows = [row]
    if model.autoencoder is not None:
        with torch.no_grad():
            copies = [
                model.pixels(model.encode(from_pixels(part.copy())))
                for part in np.array_split(real, max(1, len(real) // 16))
            ]
        copied = np.concatenate(copies)
        floor = {"size_px": size_px, "seed": seed, "space": "autoencoder"}
        rows.append(floor | scores(copied, real, len(real)))
    return rows


def learnt_space(pictures: PictureSet) -> ImageTextSpace | None:
    """The image-text space of the folder, learnt once; None where it has too few pictures."""
    try:
        return space_of(pictures, load_text_encoder(), lambda fraction, loss: None)
    except UserError as error:
        print(f"left out: {error}")
        return None


def retrieval(
    subject: Subject, drawn: NDArray[np.uint8], space: ImageTextSpace | None
) -> dict[str, Any]:
    """How often a sample's caption is among the five nearest of 100."""
    if space is None or not prompt_following.can_rank(subject):
        return {}
    return dict(prompt_following.retrieval(subject, space, drawn, 0)["samples"]["R@5"])


def told(row: dict[str, Any]) -> str:
    """One line of the table."""
    cells = []
    for key in MEASURES:
        value = row.get(key, {}).get("value")
        error = row.get(key, {}).get("error") or 0.0
        cells.append("-" if value is None else f"{value:.4g} ± {error:.2g}")
    seen = f"{row['num_images']:,}" if "num_images" in row else ""
    return f"{row['size_px']:4}  {row['space']:11}  {seen:>11}  " + "  ".join(
        f"{cell:>20}" for cell in cells
    )


def winners(rows: list[dict[str, Any]]) -> list[str]:
    """By size, which space is nearer to the unseen pictures, and by how many standard errors.

    Of one seed those are the errors of its pictures alone, which do not know how far two trainings
    lie apart; of several also what the seeds differ by, where that is more.
    """
    lines = []
    for size_px in sorted({row["size_px"] for row in rows}):
        for key in MEASURES:
            pairs: dict[str, list[tuple[float, float]]] = {}
            for row in rows:
                if row["size_px"] == size_px and "value" in row.get(key, {}):
                    pair = (row[key]["value"], row[key]["error"] or 0.0)
                    pairs.setdefault(row["space"], []).append(pair)
            if not set(SPACES) <= set(pairs):
                continue
            means = {space: np.mean([v for v, _ in pairs[space]]) for space in SPACES}
            error = np.sqrt(sum(_variance_of_mean(pairs[space]) for space in SPACES))
            ahead = float(means["pixel"] - means["latent"]) * (-1 if key == "R@5" else 1)
            if abs(ahead) < 2 * error:
                verdict = "neither is clearly ahead"
            else:
                verdict = f"{'latent' if ahead > 0 else 'pixel'} wins"
            sigmas = abs(ahead) / max(float(error), 1e-12)
            lines.append(f"{size_px} px, {key}: {verdict} ({sigmas:.1f} standard errors)")
    return lines


def _variance_of_mean(estimates: list[tuple[float, float]]) -> float:
    """Of the mean of (value, error) of several seeds."""
    of_pictures = float(np.mean([error**2 for _, error in estimates]))
    of_seeds = float(np.var([v for v, _ in estimates], ddof=1)) if len(estimates) > 1 else 0.0
    return max(of_pictures, of_seeds) / len(estimates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--autoencoder", required=True, help="its name, run folder or file")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--num", type=int, default=400)
    parser.add_argument("--network", type=int, default=6)
    parser.add_argument("--count-encoding", action="store_true")
    parser.add_argument("--skip-retrieval", action="store_true", help="learn no image-text space")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    arguments.out.mkdir(parents=True, exist_ok=True)
    kept = arguments.out / "results.jsonl"
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    done = {(row["size_px"], row["seed"], row["space"]) for row in rows}
    print(f"{'size':4}  {'space':11}  {'images':>11}  ", end="")
    heads = ("random KID", "random Frechet", "ImageNet KID", "ImageNet Frechet", "R@5")
    print("  ".join(f"{name:>20}" for name in heads))
    for row in rows:
        print(told(row))
    for size_px in arguments.sizes:
        for seed in arguments.seeds:
            for space in SPACES:
                if (size_px, seed, space) in done:
                    continue
                place = arguments.out / f"samples-{space}-{size_px}-seed-{seed}.png"
                new = judged(arguments, size_px, seed, space, place)
                with kept.open("a") as file:
                    file.writelines(json.dumps(row) + "\n" for row in new)
                rows += new
                for row in new:
                    print(told(row), flush=True)
    print("\n".join(winners(rows)))


if __name__ == "__main__":
    main()
