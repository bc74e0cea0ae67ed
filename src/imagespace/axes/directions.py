"""Directions between two words or two sets of pictures, and those along which pictures vary most.

A direction of the bottleneck is one vector for each place of the picture and each level of noise,
since a network says the same thing in other words as the noise falls.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from imagespace.axes.activations import SHARES, activations
from imagespace.axes.finding import attribute_axis, training_rows
from imagespace.axes.ica import independent
from imagespace.errors import UserError
from imagespace.pictures.folder import PictureSet
from imagespace.pipeline import Model
from imagespace.pipeline.axis import Axis

Components = Literal["pca", "ica"]
Of = Literal["bottleneck", "latents", "pictures"]
# Means and components of so many numbers a picture are steady well before all were looked at.
MOST_SEEN = 256
MOST_COMPONENTS = 32
# Of the samples whose components are found: 512 MiB in float32, of which there are three copies.
_MOST_NUMBERS = 2**27
# Of the variance of the first component; below it there is rounding, which is no direction.
_LEAST_VARIANCE = 1e-5


def find_words(model: Model, pictures: PictureSet, words: tuple[str, str], name: str) -> Axis:
    """From the first word to the second: the mean difference that they make in the bottleneck.

    Both look at the same noised training pictures; 1 is the whole difference. UserError: a model
    without text, or words that it cannot read.
    """
    for word in words:
        if not word:
            raise UserError("--words", "one of them is empty", 'Use --words "bird" "fish"')
        model.check_field("prompt", 0.5, word)
    x_0 = model.encode_rows(pictures.pixels, training_rows(pictures, MOST_SEEN // 4))
    first, second = (activations(model, x_0, [word] * len(x_0)) for word in words)
    ways = [(b - a).mean(dim=0) for a, b in zip(first, second, strict=True)]
    if not max(way.abs().max() for way in ways) > 1e-6:
        said = f"{words[0]!r} and {words[1]!r}"
        raise UserError(f"--words {said}", "are the same to this model", "Use others")
    meaning = f"from {words[0]!r} to {words[1]!r}; 1 is the whole difference"
    return _axis(model, pictures, name, torch.stack(ways), meaning)


def find_examples(
    model: Model, pictures: PictureSet, examples: tuple[PictureSet, PictureSet], name: str
) -> Axis:
    """From the first pictures to the second: the difference of their means in the bottleneck.

    Of at most 256 pictures of either, in a fixed choice. 1 is one standard deviation over the
    training pictures of the projection on it. UserError: both show the same pictures.
    """
    chosen = [
        np.sort(np.random.default_rng(0).permutation(len(one))[:MOST_SEEN]) for one in examples
    ]
    # In another order they would meet other noise, whose difference looks like a direction.
    shown = [
        {one.pixels[row].tobytes() for row in rows}
        for one, rows in zip(examples, chosen, strict=True)
    ]
    means = []
    for one, rows in zip(examples, chosen, strict=True):
        seen = activations(model, model.encode_rows(one.pixels, rows), [""] * len(rows))
        means.append([each.mean(dim=0) for each in seen])
    ways = [b - a for a, b in zip(*means, strict=True)]
    if shown[0] == shown[1] or not max(way.abs().max() for way in ways) > 1e-6:
        raise UserError("--examples", "the two folders show the same pictures", "Use others")
    x_0 = model.encode_rows(pictures.pixels, training_rows(pictures, MOST_SEEN))
    seen = activations(model, x_0, [""] * len(x_0))
    scaled = [
        way * (each.flatten(1) @ way.flatten() / way.square().sum().clamp(min=1e-12)).std()
        for way, each in zip(ways, seen, strict=True)
    ]
    meaning = f"from {len(chosen[0])} example pictures to {len(chosen[1])} others"
    return _axis(model, pictures, name, torch.stack(scaled), meaning)


def find_unnamed(
    model: Model, pictures: PictureSet, kind: Components, of: Of, num: int
) -> Iterator[Axis]:
    """The `num` principal or independent components of the bottleneck or of samples, as axes.

    1 is one standard deviation. UserError: samples of another kind, or more components than
    pictures show.
    """
    kept = "latents" if model.autoencoder is not None else "pictures"
    if of != "bottleneck" and of != kept:
        raise UserError(f"--of {of}", f"this model walks among {kept}", f"Use --of {kept}")
    check_num(num)
    most = MOST_SEEN
    if of != "bottleneck":
        most = min(8 * MOST_SEEN, _MOST_NUMBERS // math.prod(model.config.network.sample_shape))
    rows = training_rows(pictures, most)
    if len(rows) <= num:
        raise UserError(f"--num {num}", f"there are {len(rows)} training pictures", "Use fewer")
    x_0 = model.encode_rows(pictures.pixels, rows)
    parts = [x_0]
    if of == "bottleneck":
        # Each level of noise counts alike, whatever its activations' scale.
        parts = [each.clone() for each in activations(model, x_0, [""] * len(x_0))]
    ways = components(parts, num, kind)
    for number in range(num):
        meaning = f"{kind} {number + 1} of {num} of the {of}"
        direction = ways[:, number]
        yield _axis(model, pictures, component_name(kind, of, number), direction, meaning, of)


def check_num(num: int) -> None:
    """UserError: no number of components that are looked for."""
    if not 1 <= num <= MOST_COMPONENTS:
        raise UserError(f"--num {num}", f"must be from 1 to {MOST_COMPONENTS}", "Use 8")


def component_name(kind: str, of: str, number: int) -> str:
    """What the component of this number, from 0 on, is called."""
    return f"{kind}-{number + 1}" + ("" if of == "bottleneck" else f"-{of}")


def components(parts: Sequence[Tensor], num: int, kind: Components) -> Tensor:
    """Directions [T, num, ...], one standard deviation each, of T views [N, ...] of N pictures.

    Along them the views vary together most (pca) or independently of one another (ica). By the Gram
    matrix, which is [N, N] however many numbers a picture has. UserError: the pictures vary in
    fewer directions.
    """
    centred = [part.flatten(1) - part.flatten(1).mean(dim=0) for part in parts]
    num_pictures = len(centred[0])
    gram = torch.zeros(num_pictures, num_pictures, dtype=torch.float64)
    for part in centred:
        own = (part @ part.T).double()
        gram += own / own.trace().clamp(min=1e-12)
    variances, vectors = torch.linalg.eigh(gram)
    there_are = int((variances > _LEAST_VARIANCE * variances[-1]).sum())
    if num > there_are:
        rule = f"the pictures vary in {there_are} directions, and no more"
        raise UserError(f"--num {num}", rule, "Use fewer components, or add other pictures")
    scores = vectors[:, -num:].flip(1) * (num_pictures - 1) ** 0.5  # of unit variance
    if kind == "ica":
        scores = scores @ independent(scores).T
    # Signs are free: the picture that stands out most does so upwards.
    largest = scores.gather(0, scores.abs().argmax(dim=0)[None])
    scores = (scores * largest.sign()).float()
    # What a picture is for each unit of a score, by least squares.
    ways = [scores.T @ part / (num_pictures - 1) for part in centred]
    return torch.stack([way.view(num, *parts[0].shape[1:]) for way in ways])


def _axis(
    model: Model,
    pictures: PictureSet,
    name: str,
    direction: Tensor,
    meaning: str,
    of: Of = "bottleneck",
) -> Axis:
    """The axis of a direction, with the spread of all attributes for its reports."""
    is_bottleneck = of == "bottleneck"
    return attribute_axis(model, pictures, name).model_copy(
        update={
            "place": "bottleneck" if is_bottleneck else "samples",
            "meaning": meaning,
            "shares": SHARES if is_bottleneck else (),
            "direction": direction.clone(),
        }
    )
