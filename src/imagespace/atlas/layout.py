"""The layout of a map: UMAP from exact neighbours, repeatable from its seed (arXiv 1802.03426)."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagespace.errors import UserError

# Chosen by trustworthiness on 20,000 glyphs (docs/experiments.md): what pushes strangers apart
# matters most. Points of one cluster may touch: thumbnails need no room of their own.
NUM_NEIGHBOURS = 20
MIN_DISTANCE = 0.0
NUM_EPOCHS = 500
NEGATIVE_SAMPLE_RATE = 10


def lay_out(
    coordinates: NDArray[np.float32],
    indices: NDArray[np.int64],
    distances: NDArray[np.float32],
    seed: int,
    init: NDArray[np.float32] | str = "pca",
) -> NDArray[np.float32]:
    """Positions [N, 2] of points [N, D] whose neighbours [N, k] are known (none is its own).

    One thread, so that the same seed is the same map. UserError: umap-learn is not installed.
    """
    umap = import_umap()
    num = len(coordinates)
    own = np.arange(num)[:, None]
    # UMAP counts a point as the first of its own neighbours.
    known = (
        np.hstack([own, indices])[:, :NUM_NEIGHBOURS],
        np.hstack([np.zeros((num, 1), np.float32), distances])[:, :NUM_NEIGHBOURS],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that new points could not be added: projection.py does
        layout = umap.UMAP(
            n_neighbors=known[0].shape[1],
            min_dist=MIN_DISTANCE,
            n_epochs=NUM_EPOCHS,
            negative_sample_rate=NEGATIVE_SAMPLE_RATE,
            init=init,
            random_state=seed % 2**32,
            n_jobs=1,
            precomputed_knn=known,
            force_approximation_algorithm=True,
        )
        positions: NDArray[np.float32] = np.asarray(layout.fit_transform(coordinates), np.float32)
    return positions


def import_umap() -> Any:
    """The UMAP library, whose import compiles code for some seconds. UserError: it is missing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parts for which tensorflow would be needed
            import umap
    except ModuleNotFoundError as error:
        raise UserError(
            "the map", f"needs {error.name}", 'Install it: pip install "imagespace[atlas]"'
        ) from None
    return umap
