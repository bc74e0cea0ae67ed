"""Whether a turned picture is still the same: near in features, of the same radical."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagespace.evaluation.image_text_space import ImageTextSpace
from imagespace.evaluation.radical_judge import load_radical_judge
from imagespace.evaluation.random_features import RandomFeatures


@dataclass(frozen=True)
class Identity:
    """What N pictures keep when they are turned, against the same ones unturned.

    `cosine` is the mean over the turned pictures between their features and those of the picture
    as drawn; `of_others` is the same between different pictures as drawn, what a picture that
    kept nothing would have, None of a single picture. `radical` is the share whose judged radical
    stays, of glyphs alone.
    """

    features: str
    cosine: float
    of_others: float | None
    radical: float | None = None


def identity(
    pixels: NDArray[np.uint8], plain: int, space: ImageTextSpace | None, are_glyphs: bool
) -> Identity:
    """Of pictures uint8 [V, N, H, W, C] with those as drawn at row `plain`.

    In the picture features of an image-text space, without one in those of random filters, which
    are taken about their mean.
    """
    num_values, num, *shape = pixels.shape
    flat = pixels.reshape(-1, *shape)
    if space is not None:
        features, name = space.embed_pictures(flat).numpy(), space.name
    else:
        features, name = RandomFeatures(shape[-1])(flat), "random filters"
        features = features - features.mean(axis=0)
    features = features.astype(np.float64).reshape(num_values, num, -1)
    features /= np.linalg.norm(features, axis=2, keepdims=True).clip(min=1e-12)
    turned = np.delete(features, plain, axis=0)
    cosine = float((turned * features[plain]).sum(axis=2).mean())
    between = features[plain] @ features[plain].T
    others = between[~np.eye(num, dtype=bool)]
    radical = None
    if are_glyphs:
        judged = load_radical_judge(quick=True).predict(flat).reshape(num_values, num)
        radical = float((np.delete(judged, plain, axis=0) == judged[plain]).mean())
    of_others = float(others.mean()) if num > 1 else None
    return Identity(name, cosine, of_others, radical)
