"""Trains our glyphs recipe from scratch for each of several times and draws from each.

Run: python benchmarks/peers/ours.py --data DATA --out FOLDER [--minutes 0.5 1 2 5 10 20]

Our learning rate ends with the budget, so that a run of two minutes is no part of a run of twenty:
each is a run of its own, in a process of its own. Compiling the network and all that the loop does
count as time. Pictures are drawn with captions of unseen pictures, as the recipe samples, and
without a caption and guidance, which is what the peers do.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from glyph_rows import WITH_CAPTIONS, captioned_only, unseen_rows
from numpy.typing import NDArray
from pydantic import ValidationError
from run_record import FINISHED, RUN_FILE, draw_to, surroundings, write_json

from imagespace.errors import UserError
from imagespace.pictures.folder import PictureSet, read_folder
from imagespace.pipeline import Model, PromptWarning, load, to_pixels
from imagespace.recipes import for_few_pictures, recipe
from imagespace.text.vectors import load_text_encoder
from imagespace.training.config import RunConfig, TrainingConfig
from imagespace.training.loop import train
from imagespace.training.picture_data import PictureData
from imagespace.training.run_folder import METRICS_FILE

SAMPLE_SEED = 1_000_000


def configuration(
    minutes: float, seed: int, changes: list[str], size: int | None = None
) -> RunConfig:
    """The glyphs recipe for so many minutes, or with a smaller network what `train` makes of it.

    One evaluation, without a sheet of samples, at the end of the budget: as for the peers, looking
    at the model costs no training time. `changes` are NAME=VALUE of the training's configuration.
    UserError: a change that training does not know.
    """
    config = recipe("glyphs", {"budget_minutes": minutes, "budget_images": None}, seed)
    if size is not None:
        config = for_few_pictures(config, size)
    values = config.training.model_dump()
    values |= {"evaluations": 1, "sample_prompts": [], "num_validation": 64}
    for change in changes:
        name, _, value = change.partition("=")
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    try:
        training = TrainingConfig(**values)
    except ValidationError as error:
        rule = f"{error.errors()[0]['loc']}: {error.errors()[0]['msg']}"
        raise UserError(f"--set {changes}", rule, "Name a field of TrainingConfig") from None
    return config.model_copy(update={"training": training})


def setting_of(args: argparse.Namespace) -> str:
    """The recipe and all that was changed in it."""
    size = [] if args.network is None else [f"--network {args.network}"]
    return " ".join(["glyphs", *size, *args.set])


def draw_all(
    model: Model, pictures: PictureSet, folder: Path, seconds: float, args: argparse.Namespace
) -> list[dict[str, Any]]:
    """Samples with captions of unseen pictures, and without; a record of each."""
    rows = np.random.default_rng(0).permutation(unseen_rows(pictures))
    captions = [pictures.captions[row] for row in rows if pictures.captions[row]]

    warnings.simplefilter("ignore", PromptWarning)  # long or rare captions are as they are

    def with_captions(first: int, num: int) -> NDArray[np.uint8]:
        chosen = [captions[index % len(captions)] for index in range(first, first + num)]
        settings = [
            model.settings(caption, seed=SAMPLE_SEED + first + i, truncate=True)[0]
            for i, caption in enumerate(chosen)
        ]
        return model.draw(settings).pixels

    def without(first: int, num: int) -> NDArray[np.uint8]:
        # `sample` knows neither prompt nor guidance.
        return to_pixels(model.sample(num, SAMPLE_SEED + first))

    ways = {WITH_CAPTIONS: with_captions, "no-caption": without}
    return [
        draw_to(
            folder / f"samples-{round(seconds)}-{way}.npy",
            draw,
            args.num_samples,
            60 * args.sampling_minutes,
        )
        | {"prompts": way}
        for way, draw in ways.items()
    ]


def loss_curve(folder: Path) -> list[tuple[float, int, float]]:
    """(seconds, pictures seen, loss) of every step, as the run folder has them."""
    lines = (folder / METRICS_FILE).read_text(encoding="utf-8").splitlines()
    steps = [json.loads(line) for line in lines]
    return [(s["elapsed_s"], s["num_images"], s["loss"]) for s in steps if "loss" in s]


def run(args: argparse.Namespace, minutes: float) -> None:
    """One budget: trains, unless the folder holds the trained model, and draws."""
    folder = args.out / f"minutes-{minutes:g}"
    if (folder / RUN_FILE).is_file():  # written at the end only
        print(f"{minutes:g} minutes: finished before")
        return
    if args.threads:
        torch.set_num_threads(args.threads)
    config = configuration(minutes, args.seed, args.set, args.network)
    network = config.model.network
    pictures = captioned_only(read_folder(args.data, network.image_size_px, network.num_channels))
    data = PictureData(config, pictures, load_text_encoder())
    record: dict[str, Any] = {
        "peer": "imagespace",
        "setting": setting_of(args),
        "settings": config.model_dump(mode="json"),
        "seed": args.seed,
        "data": pictures.key,
        "num_training_pictures": len(data.rows),
        "budget_seconds": 60 * minutes,
    }
    record |= surroundings(["numpy"])
    interrupts: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):  # let the step under way end
        signal.signal(number, lambda number, frame: interrupts.append(number))
    events = train(config, data, folder)
    for _ in events:
        if interrupts:
            events.close()  # saves a checkpoint
            raise KeyboardInterrupt
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    losses = loss_curve(folder)
    seconds, num_images, loss = losses[-1]
    at = {"seconds": seconds, "pictures_seen": num_images}
    record |= at | {"num_steps": len(losses), "loss": losses}
    model = load(folder)
    record["num_parameters"] = sum(p.numel() for p in model.network.parameters())
    drawn = draw_all(model, pictures, folder, 60 * minutes, args)
    record |= {"checkpoints": [at | d for d in drawn], "state": FINISHED}
    write_json(folder / RUN_FILE, record)
    print(f"{minutes:g} minutes: {num_images:,} pictures, loss {loss:.4f}", flush=True)
    for d in drawn:
        print(
            f"  {d['prompts']}: {d['num_samples']} of {args.num_samples} samples, "
            f"{d['seconds_per_picture']:.2f} s each",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="glyph data folder")
    parser.add_argument("--minutes", type=float, nargs="+", default=[0.5, 1, 2, 5, 10, 20])
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="of the training config"
    )
    parser.add_argument("--network", type=int, help="a smaller one, as `train` takes")
    parser.add_argument("--num-samples", type=int, default=500)
    parser.add_argument("--sampling-minutes", type=float, default=4, help="at most, each way")
    parser.add_argument("--threads", type=int, help="of torch; all processors unless given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if len(args.minutes) == 1:
            # An empty cache, so that compiling costs what it costs the first time.
            with tempfile.TemporaryDirectory() as cache:
                os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
                run(args, args.minutes[0])
            return
        words = [sys.argv[0], "--data", str(args.data), "--out", str(args.out)]
        words += [word for change in args.set for word in ("--set", change)]
        words += ["--num-samples", str(args.num_samples), "--seed", str(args.seed)]
        words += ["--sampling-minutes", str(args.sampling_minutes)]
        words += ["--network", str(args.network)] if args.network is not None else []
        words += ["--threads", str(args.threads)] if args.threads else []
        for minutes in args.minutes:
            subprocess.run([sys.executable, *words, "--minutes", f"{minutes:g}"], check=True)
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(error.returncode) from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command continues") from None


if __name__ == "__main__":
    main()
