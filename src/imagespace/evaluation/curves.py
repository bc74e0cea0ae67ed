"""How quality and prompt following depend on steps, guidance, sampler and training time.

Every point draws the same prompts from the same seeds, so that neighbouring points differ by the
setting alone.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagespace.errors import UserError
from imagespace.evaluation import prompt_following
from imagespace.evaluation.distances import kernel_distance, manifold
from imagespace.evaluation.image_text_space import ImageTextSpace
from imagespace.evaluation.quality import Extractor, Features
from imagespace.evaluation.radical_judge import load_radical_judge
from imagespace.evaluation.random_features import RandomFeatures
from imagespace.evaluation.subject import Subject
from imagespace.evaluation.training_minutes import training_minutes
from imagespace.pictures.contact_sheet import contact_sheet
from imagespace.pipeline import Model, load
from imagespace.pipeline.drawn import pixels_to_image

# Beside these the model's own, so that it can be told whether it is as good as the best.
STEPS = (4, 8, 12, 16, 20, 28, 40, 64)
GUIDANCES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
# Noise shares between which guidance acts; the narrower, the fewer times the network is asked.
INTERVALS = ((0.0, 1.0), (0.1, 0.95), (0.2, 0.9), (0.3, 0.9), (0.3, 0.8), (0.4, 0.9))
# Settings of one cost: Heun asks twice a step.
SAMPLERS = ("ddpm", "ddim", "euler", "heun", "dpmpp_2m", "dpmpp_2m_sde")
CURVES = ("steps", "guidance", "interval", "sampler", "training")
NUM_IN_CURVE = 400
# The judge of each figure that a curve may call following the prompt.
FOLLOWED_BY = {"radical": "radical", "retrieval R@5": "image-text", "coverage": "random"}
NUM_REPLAYED = 8

Follows = Callable[[NDArray[np.uint8]], dict[str, Any]]
Said = Callable[[str], None]


def curve(
    name: str,
    subject: Subject,
    features: Features,
    extractor: Extractor,
    follows: Follows,
    said: Said,
) -> tuple[list[dict[str, Any]], list[str]]:
    """The points of one curve, and notes on what of them cannot be measured.

    `follows(samples)` is the share that shows what was asked for. Points of a training curve have
    the minutes that it had taken, where the run folder says so. UserError: an unknown name; a
    training curve of a model that has no kept weights; guidance where there are no prompts.
    """
    points, notes = [], []
    minutes = training_minutes(subject.model.source) if name == "training" else {}
    for label, at, changed, sampling in _settings(name, subject):
        started = time.perf_counter()
        samples = changed.draw(changed.settings(**sampling))
        seconds = (time.perf_counter() - started) / len(samples)
        point: dict[str, Any] = {"at": at}
        if at in minutes:
            point["minutes"] = round(minutes[at], 3)
        for figure, measure in (
            ("kernel_distance", lambda found: _distance(found, features, extractor)),
            ("follows", follows),
        ):
            try:
                point[figure] = measure(samples)
            except UserError as error:
                notes.append(f"curve of {name}: {error}")
        points.append(point | {"seconds_per_picture": round(seconds, 4)})
        said(f"{name} {label}")
    return points, list(dict.fromkeys(notes))


def _distance(
    samples: NDArray[np.uint8], features: Features, extractor: Extractor
) -> dict[str, Any]:
    unseen, num_pairs = features.real(extractor, "unseen"), features.subject.num_pairs
    return asdict(kernel_distance(extractor.features(samples), unseen, num_pairs))


def what_is_followed(subject: Subject, space: ImageTextSpace | None) -> tuple[str, Follows]:
    """What a curve calls following the prompt: the radical, a caption's rank, or coverage."""
    if subject.is_glyphs and subject.is_captioned:
        judge = load_radical_judge()
        return "radical", lambda samples: dict(
            prompt_following.radicals(subject, judge, samples)["samples"]
        )
    if space is not None and prompt_following.can_rank(subject):
        return "retrieval R@5", lambda samples: dict(
            prompt_following.retrieval(subject, space, samples, subject.seed)["samples"]["R@5"]
        )
    plain = RandomFeatures(subject.pictures.pixels.shape[3])
    return "coverage", lambda samples: asdict(
        manifold(plain(samples), plain(subject.pixels(subject.unseen))).coverage
    )


def replay_sheet(subject: Subject) -> Image.Image:
    """The same seeds and prompts across the training, a row for each kept state.

    UserError: as `replay`.
    """
    shown, captions = [], []
    for num_images, model in replay(subject.model):
        at = replace(subject, model=model, num=NUM_REPLAYED)
        for number, pixels in enumerate(at.draw(at.settings())):
            shown.append(pixels_to_image(pixels))
            captions.append("" if number else f"{num_images:,} pictures")
    return contact_sheet(shown, captions, min(NUM_REPLAYED, at.num_samples))


def _settings(name: str, subject: Subject) -> Iterator[tuple[str, Any, Subject, dict[str, Any]]]:
    """(label, place on the axis, model with its pictures, sampling options) of each point."""
    own = subject.model.config.sampling
    if name == "steps":
        for num_steps in sorted({*STEPS, own.num_steps}):
            yield str(num_steps), num_steps, subject, {"num_steps": num_steps}
    elif name in ("guidance", "interval") and not subject.is_captioned:
        raise UserError(
            f"curve {name!r}",
            "there are no captions to guide by, or the model reads none",
            "Leave it out",
        )
    elif name == "interval":
        for low, high in INTERVALS:
            label = f"{low:g} to {high:g}"
            yield label, label, subject, {"guidance_interval": (low, high)}
    elif name == "guidance":
        for guidance in sorted({*GUIDANCES, own.guidance}):
            yield f"{guidance:g}", guidance, subject, {"guidance": guidance}
    elif name == "sampler":
        for sampler in SAMPLERS:
            num_steps = max(1, own.num_steps // 2) if sampler == "heun" else own.num_steps
            yield sampler, sampler, subject, {"sampler": sampler, "num_steps": num_steps}
    elif name == "training":
        for num_images, model in replay(subject.model):
            yield f"{num_images:,}", num_images, replace(subject, model=model), {}
    else:
        raise UserError(
            f"curve {name!r}", "there is no such curve", f"Use one of {', '.join(CURVES)}"
        )


def history_files(run: str | Path) -> list[Path]:
    """The weights that a run folder keeps of its evaluations, in order."""
    return sorted((Path(run) / "history").glob("images-*.safetensors"))


def replay(model: Model) -> Iterator[tuple[int, Model]]:
    """(pictures seen, model) at each evaluation of a training run, from step 0 on.

    UserError: the model is not a run folder, or its run kept no weights of earlier steps.
    """
    files = history_files(model.source)
    if not files:
        raise UserError(
            model.source,
            "has no weights of earlier steps",
            "Name a run folder of `imagespace train` for a training curve",
        )
    for file in files:
        yield int(file.stem.removeprefix("images-")), load(file)
