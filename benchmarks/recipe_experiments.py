"""Controlled experiments on the glyph recipe: one change each, at equal training time.

    python benchmarks/recipe_experiments.py DATA --out FOLDER [--only NAME,NAME] [--images 90000]
        [--network 4]

The baseline sees `--images` pictures. A variant whose step takes longer or shorter sees as many
as fit into the same time, by the ratio of step times measured here side by side, so that the
verdict does not depend on what else the machine is doing; what it fits beforehand (a sketch) is
taken off too. Encoding a folder into latents is not: it is done once for all runs. Every variant is
judged by the same 400 unseen captions and seeds: kernel distance to unseen real glyphs in random
features and, where its package is installed, in ImageNet features, the share whose radical is the
prompt's own character's, and the twenty nouns. `--network` takes another size than the recipe's and
the batches that `imagespace train` takes with it, for machines on which the recipe's own would see
too few pictures in minutes. Results are appended to
FOLDER/results.jsonl; a variant, network and seed that stands there is not run again.
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from imagespace.errors import UserError
from imagespace.evaluation import prompt_following
from imagespace.evaluation.distances import kernel_distance
from imagespace.evaluation.imagenet_features import ImageNetFeatures
from imagespace.evaluation.radical_judge import load_radical_judge
from imagespace.evaluation.random_features import RandomFeatures
from imagespace.evaluation.subject import Subject
from imagespace.networks.build import build_network
from imagespace.pictures.folder import PictureSet, read_folder
from imagespace.pipeline import Model, load_autoencoder_by_name
from imagespace.pipeline.band_loss import ValidationSet
from imagespace.recipes import for_few_pictures, recipe
from imagespace.recipes.latent import in_latents
from imagespace.recipes.named import sketched
from imagespace.text.vectors import load_text_encoder
from imagespace.training.budget import fraction_done, learning_rate_factor
from imagespace.training.config import RunConfig
from imagespace.training.ema import PowerEMA
from imagespace.training.latent_data import LatentData
from imagespace.training.loop import TrainingState, prepare
from imagespace.training.picture_data import PictureData

NUM_JUDGED = 400
AUTOENCODER = "glyphs-autoencoder"
# Relative widths of the weight average, EDM2's sigma_rel: 0.10, 0.05 (the recipe's) and 0.025.
EMA_EXPONENTS = {"0.10": 6.94, "0.05": 16.97, "0.025": 37.0}


def objective(**changes: Any) -> Callable[[RunConfig], RunConfig]:
    """Another objective."""
    return lambda run: _model(run, objective=run.model.objective.model_copy(update=changes))


def network(**changes: int) -> Callable[[RunConfig], RunConfig]:
    """Another network."""
    return lambda run: _model(run, network=run.model.network.model_copy(update=changes))


def training(**changes: Any) -> Callable[[RunConfig], RunConfig]:
    """Another way to train."""
    return lambda run: run.model_copy(update={"training": run.training.model_copy(update=changes)})


def latents(run: RunConfig) -> RunConfig:
    """The same network on the latents of the shipped autoencoder."""
    autoencoder, sha256 = load_autoencoder_by_name(AUTOENCODER)
    return in_latents(run, autoencoder.config, sha256)


def sketches(run: RunConfig) -> RunConfig:
    """The network with a sketch of its caption beside each patch."""
    return _model(run, network=sketched(run.model.network))


def _model(run: RunConfig, **changes: Any) -> RunConfig:
    return run.model_copy(update={"model": run.model.model_copy(update=changes)})


VARIANTS: dict[str, Callable[[RunConfig], RunConfig]] = {
    "baseline": lambda run: run,
    # What the network predicts; the loss stays the velocity's.
    "predict-eps": objective(prediction="eps"),
    "predict-velocity": objective(prediction="velocity", loss_weight="velocity"),
    # Which times are asked, and how they count.
    "times-logit-0": objective(logit_mean=0.0),
    "times-logit-1": objective(logit_mean=1.0),
    "times-uniform": objective(time_distribution="uniform"),
    "loss-x0": objective(loss_weight="x0"),
    # Errors at little noise count as at a fifth, where 1 / t^2 would outweigh all others.
    "weights-0.2": objective(smallest_weighted_time=0.2),
    # DDPM's own pair of prediction and loss.
    "ddpm": objective(prediction="eps", loss_weight="eps"),
    # The optimiser of the blocks' matrices, AdamW at two rates.
    "adamw-1e-3": training(matrix_optimizer="adamw", matrix_learning_rate=1e-3),
    "adamw-5e-4": training(matrix_optimizer="adamw", matrix_learning_rate=5e-4),
    "muon-2e-3": training(matrix_learning_rate=2e-3),
    # Of all other weights: embeddings, modulation, the output layer.
    "others-1e-3": training(other_learning_rate=1e-3),
    # Both rates of the recipe until 2026-11-29, and twice today's.
    "nearer": training(matrix_learning_rate=2e-3, other_learning_rate=1e-3),
    "further": training(matrix_learning_rate=8e-3, other_learning_rate=5e-3),
    "further-weights-0.2": lambda run: VARIANTS["further"](VARIANTS["weights-0.2"](run)),
    "further-weights-0.2-batch-16": lambda run: VARIANTS["batch-16"](
        VARIANTS["further-weights-0.2"](run)
    ),
    "further-weights-0.2-times-1": lambda run: VARIANTS["times-logit-1"](
        VARIANTS["further-weights-0.2"](run)
    ),
    # Shape and size at equal time.
    "deep-256x8": network(width=256, depth=8, num_heads=4),
    "deep-320x5": network(width=320, depth=5, num_heads=5),
    "wide-448x2": network(width=448, depth=2, num_heads=7),
    "small-256x3": network(width=256, depth=3, num_heads=4),
    "patch-8": network(patch_size_px=8),
    "batch-16": training(batch_size=16),
    "batch-32": training(batch_size=32),
    "batch-64": training(batch_size=64),
    "batch-128": training(batch_size=128),
    # Captions.
    "captions-plain": training(alternative_caption=0.0, single_sense=0.0),
    "captions-senses": training(alternative_caption=0.0),
    "captions-more": training(alternative_caption=0.4),
    "dropout-0.2": training(caption_dropout=0.2),
    "decay-whole": training(decay_fraction=1.0),
    "sketches": sketches,
    # Another space; its held-out losses are those of latents.
    "latents": latents,
    "latents-sketches": lambda run: latents(sketches(run)),
}


def data_of(config: RunConfig, pictures: PictureSet, folder: Path) -> PictureData:
    """The pictures, or their latents, as the run sees them."""
    encoder = load_text_encoder()
    if config.model.autoencoder is None:
        return PictureData(config, pictures, encoder)
    autoencoder, _ = load_autoencoder_by_name(AUTOENCODER)
    return LatentData(config, pictures, encoder, autoencoder, folder)


def step_seconds(states: list[TrainingState], num: int = 5) -> list[float]:
    """The median time of a picture in each state's step, taken in turn on random pictures."""
    taken: list[list[float]] = [[] for _ in states]
    for turn in range(num + 2):
        for state, times in zip(states, taken, strict=True):
            config = state.config.model.network
            size = state.config.training.batch_size
            x_0 = torch.rand(size, *config.sample_shape)
            text = torch.randn(size, config.max_text_tokens, config.text_width)
            started = time.perf_counter()
            state.update(x_0, (text,), 0.0)
            if turn >= 2:  # the first two compile
                times.append((time.perf_counter() - started) / size)
    return [statistics.median(times) for times in taken]


def relative_cost(config: RunConfig, baseline: RunConfig) -> float:
    """Time of a picture, in the baseline's."""
    same = config.model.network == baseline.model.network
    fields = ("matrix_optimizer", "batch_size")
    if same and all(getattr(config.training, f) == getattr(baseline.training, f) for f in fields):
        return 1.0
    own, base = step_seconds([prepare(config), prepare(baseline)])
    return own / base


def fitted(
    config: RunConfig, baseline: RunConfig, data: PictureData
) -> tuple[RunConfig, TrainingState]:
    """The state at step 0 with all that is fitted before it, and the run shortened by its time."""
    state, started = prepare(config), time.perf_counter()
    data.fit_first(state.network)
    if not config.model.network.sketch_side_px:
        return config, state
    seconds = time.perf_counter() - started
    own, _ = step_seconds([prepare(config), prepare(baseline)])
    images = round(config.training.budget_images - seconds / own)
    print(f"  fitted for {seconds:.0f} s: {images:,} pictures are left", flush=True)
    shorter = training(budget_images=max(config.training.batch_size, images))(config)
    state.config = shorter
    return shorter, state


def run(config: RunConfig, state: TrainingState, data: PictureData, out: Path) -> dict[str, Any]:
    """Trains; the averaged weights of each length."""
    averages = {name: PowerEMA(state.network, gamma) for name, gamma in EMA_EXPONENTS.items()}
    started, losses = time.monotonic(), []
    while (fraction := fraction_done(config.training, state.step, 0.0)) < 1:
        factor = learning_rate_factor(config.training, state.step, fraction)
        losses.append(state.update(*data.batch(state.step), factor))
        for average in averages.values():
            average.update(state.network, state.step)
        if state.step % 50 == 0:
            rate = state.step * config.training.batch_size / (time.monotonic() - started)
            print(f"  {fraction:.0%}  loss {np.mean(losses[-50:]):.4f}  {rate:.0f}/s", flush=True)
    data.save(out, averages["0.05"].weights)
    weights: dict[str, Any] = {name: average.weights for name, average in averages.items()}
    return weights | {"none": dict(state.network.state_dict())}


def extractors() -> dict[str, Callable[[NDArray[np.uint8]], NDArray[np.float32]]]:
    """The features that samples are compared in; one of them needs a package."""
    found: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.float32]]] = {
        "random": RandomFeatures(1)
    }
    try:
        found["imagenet"] = ImageNetFeatures()
    except UserError as error:
        print(f"note: {error}")
    return found


def judge(
    config: RunConfig, weights: dict[str, Any], data: PictureData, dtype: torch.dtype
) -> dict[str, Any]:
    """What one set of weights draws and loses."""
    encoder, pictures = load_text_encoder(), data.pictures
    built = build_network(config.model.network)
    built.load_state_dict(weights)
    fingerprint = {"text_fingerprint": encoder.fingerprint}
    whole = config.model.model_copy(update=fingerprint)
    model = Model(whole, built, encoder, "", "experiment", data.autoencoder)
    subject = Subject(model, pictures, NUM_JUDGED, 0, dtype)
    samples = subject.draw(subject.settings())
    radicals = load_radical_judge(quick=True)
    everyone = Subject(model, pictures, 2000, 0)  # those of the prompts come first
    real = everyone.pixels(everyone.unseen)
    validation: ValidationSet = data.validation()
    return {
        "kernel_distance": {
            name: asdict(kernel_distance(features(samples), features(real), subject.num_pairs))
            for name, features in extractors().items()
        },
        "radical": prompt_following.radicals(subject, radicals, samples)["samples"],
        "nouns": prompt_following.nouns(subject, radicals)["samples"],
        "held_out_loss": validation.loss(built, config.model, 0, dtype),
    }


def row(result: dict[str, Any]) -> str:
    """One line of the table."""
    judged = result["judged"]
    radical, nouns = (judged[k] for k in ("radical", "nouns"))
    loss = "  ".join(f"{value:.4f}" for value in judged["held_out_loss"].values())
    distances = "  ".join(
        f"{1000 * distance['value']:8.3f} ± {1000 * distance['error']:.3f}"
        for distance in judged["kernel_distance"].values()
    )
    return (
        f"{result['variant']:18} {result['seed']}  {result['images']:7,}  {distances}  "
        f"{radical['value']:6.1%} ± {radical['error']:.1%}  {nouns['value']:6.1%}  {loss}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default=",".join(VARIANTS))
    parser.add_argument("--images", type=int, default=90_000)
    parser.add_argument("--network", type=int, help="size of all but those of another shape")
    parser.add_argument(
        "--averages", action="store_true", help="judge the baseline's other weight averages too"
    )
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--num-threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(arguments.num_threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    results = arguments.out / "results.jsonl"
    pictures = read_folder(arguments.data, 128, 1)
    header = (
        "variant            seed pictures  1000 x kernel distances  radical  nouns  loss by band"
    )
    print(header)
    for seed in map(int, arguments.seeds.split(",")):
        for name in arguments.only.split(","):
            done = results.read_text().splitlines() if results.is_file() else []
            key = (name, arguments.network, seed)
            before = [
                r
                for r in map(json.loads, done)
                if (r["variant"], r.get("network"), r["seed"]) == key
            ]
            if before:
                print(row(before[0]))
                continue
            baseline = recipe("glyphs", {"budget_images": arguments.images}, seed)
            if arguments.network is not None:
                baseline = for_few_pictures(baseline, arguments.network)
            config = VARIANTS[name](baseline)
            cost = relative_cost(config, baseline)
            config = training(budget_images=round(arguments.images / cost))(config)
            data = data_of(config, pictures, arguments.data)
            started = time.monotonic()
            config, state = fitted(config, baseline, data)
            size = "" if arguments.network is None else f"-network-{arguments.network}"
            file = arguments.out / f"{name}{size}-{seed}.safetensors"
            weights = run(config, state, data, file)
            minutes = (time.monotonic() - started) / 60
            result: dict[str, Any] = {
                "variant": name,
                "network": arguments.network,
                "seed": seed,
                "images": config.training.budget_images,
                "relative_cost": cost,
                "minutes": round(minutes, 2),
                "parameters": sum(p.numel() for p in state.network.parameters()),
                "threads": torch.get_num_threads(),
                "compiled": state.compiled,
                "torch": torch.__version__,
                "date": time.strftime("%Y-%m-%d"),
                "judged": judge(config, weights["0.05"], data, state.dtype),
            }
            if name == "baseline" and arguments.averages:
                others = {k: w for k, w in weights.items() if k != "0.05"}
                result["other_averages"] = {
                    length: judge(config, w, data, state.dtype) for length, w in others.items()
                }
            with results.open("a") as file:
                file.write(json.dumps(result) + "\n")
            print(row(result), flush=True)


if __name__ == "__main__":
    main()
