"""Which features the feature space is made of: those that tell the set's pictures apart best."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from imagespace.evaluation.random_features import RandomFeatures
from imagespace.evaluation.space_training import FEWEST_PICTURES, space_of
from imagespace.pictures.folder import PictureSet
from imagespace.text.vectors import load_text_encoder

Extract = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def features_of(
    pictures: PictureSet, progress: Callable[[int, int], None] | None = None
) -> tuple[str, Extract]:
    """The name of the features and what extracts them from pictures uint8 [N, H, W, C].

    Equal names are equal features: a space that was learnt anew has other weights and another name.
    The image-text space of the evaluation, shipped with the glyphs and learnt once for other sets
    (docs/atlas.md has the comparison); random features where there are too few pictures for it.
    UserError: the space that was kept is damaged.
    """
    if len(pictures.indices("train")) < FEWEST_PICTURES:
        return "random", RandomFeatures(pictures.pixels.shape[3])

    def report(fraction: float, loss: float) -> None:
        if progress is not None:
            progress(round(1000 * fraction), 1000)

    space = space_of(pictures, load_text_encoder(), report)
    return f"{space.name}-{space.fingerprint}", space
