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

from imagespace.errors import UserError
from imagespace.evaluation.distances import kernel_distance
from imagespace.evaluation.quality import Extractor, Features
from imagespace.evaluation.subject import Subject
from imagespace.pipeline import Model, load

STEPS = (4, 8, 12, 16, 20, 28, 40, 64)
GUIDANCES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
# Settings of one cost: Heun asks twice a step.
SAMPLERS = ("ddpm", "ddim", "euler", "heun", "dpmpp_2m", "dpmpp_2m_sde")
CURVES = ("steps", "guidance", "sampler", "training")

Follows = Callable[[NDArray[np.uint8]], dict[str, Any]]
Said = Callable[[str], None]


def curve(
    name: str,
    subject: Subject,
    features: Features,
    extractor: Extractor,
    follows: Follows,
    said: Said,
) -> list[dict[str, Any]]:
    """The points of one curve; `follows(samples)` is the share that shows what was asked for.

    UserError: an unknown name; a training curve of a model that has no kept weights.
    """
    unseen = features.real(extractor, "unseen")
    points = []
    for label, at, changed, sampling in _settings(name, subject):
        started = time.perf_counter()
        samples = changed.draw(changed.settings(**sampling))
        seconds = (time.perf_counter() - started) / len(samples)
        distance = kernel_distance(extractor.features(samples), unseen)
        point = {"at": at, "kernel_distance": asdict(distance), "follows": follows(samples)}
        points.append(point | {"seconds_per_picture": round(seconds, 4)})
        said(f"{name} {label}")
    return points


def _settings(name: str, subject: Subject) -> Iterator[tuple[str, Any, Subject, dict[str, Any]]]:
    """(label, place on the axis, model with its pictures, sampling options) of each point."""
    if name == "steps":
        for num_steps in STEPS:
            yield str(num_steps), num_steps, subject, {"num_steps": num_steps}
    elif name == "guidance":
        for guidance in GUIDANCES:
            yield f"{guidance:g}", guidance, subject, {"guidance": guidance}
    elif name == "sampler":
        own = subject.model.config.sampling.num_steps
        for sampler in SAMPLERS:
            num_steps = max(1, own // 2) if sampler == "heun" else own
            yield sampler, sampler, subject, {"sampler": sampler, "num_steps": num_steps}
    elif name == "training":
        for num_images, model in replay(subject.model):
            yield f"{num_images:,}", num_images, replace(subject, model=model), {}
    else:
        raise UserError(
            f"curve {name!r}", "there is no such curve", f"Use one of {', '.join(CURVES)}"
        )


def replay(model: Model) -> Iterator[tuple[int, Model]]:
    """(pictures seen, model) at each evaluation of a training run, from step 0 on.

    UserError: the model is not a run folder, or its run kept no weights of earlier steps.
    """
    folder = Path(model.source) / "history"
    files = sorted(folder.glob("images-*.safetensors"))
    if not files:
        raise UserError(
            model.source,
            "has no weights of earlier steps",
            "Name a run folder of `imagespace train` for a training curve",
        )
    for file in files:
        yield int(file.stem.removeprefix("images-")), load(file)
