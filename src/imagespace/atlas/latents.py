"""The latent space of a map: latents of real pictures, and samples as the space takes them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from imagespace.errors import UserError
from imagespace.pictures.folder import PictureSet
from imagespace.pictures.latent_cache import kept_latents, latent_rows, latents_key
from imagespace.pipeline import Model

_ENCODED_AT_ONCE = 256  # bounds the memory


def check_has_space(model: Model, space: str) -> None:
    """UserError: the space is of latents, and the model walks among pixels."""
    if space == "latent" and model.autoencoder is None:
        raise UserError(
            "--space latent",
            f"model {model.source} walks among pixels and has no latents",
            "Use pixel or feature",
        )


def latents_of(
    model: Model,
    pictures: PictureSet,
    rows: NDArray[np.int64],
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float16]:
    """Latents [N, S, S, Z] of the pictures `rows`, in half precision as training keeps them.

    Those that training kept beside the pictures in `folder` are read, the others encoded.
    """
    _, side, _ = shape = _sample_shape(model)
    found = np.empty((len(rows), side, side, shape[0]), np.float16)
    place = np.full(len(pictures), -1, dtype=np.int64)
    kept, trained = None, latent_rows(pictures)
    if folder is not None:
        key = latents_key(pictures, model.config.autoencoder_sha256)
        kept = kept_latents(folder, key, (len(trained), *shape))
    if kept is not None:
        place[trained] = np.arange(len(trained))
    for start in range(0, len(rows), _ENCODED_AT_ONCE):
        part = slice(start, min(start + _ENCODED_AT_ONCE, len(rows)))
        own, at = rows[part], place[rows[part]]
        latents = np.empty((len(own), *shape), np.float16)
        if kept is not None and (at >= 0).any():
            latents[at >= 0] = kept[at[at >= 0]]
        if (at < 0).any():
            latents[at < 0] = model.encode_rows(pictures.pixels, own[at < 0]).half().numpy()
        found[part] = latents.transpose(0, 2, 3, 1)
        if progress is not None:
            progress(part.stop, len(rows))
    return found


def channels_last(samples: Tensor) -> NDArray[np.float32]:
    """Samples [N, C, H, W] as a space takes them, [N, H, W, C]."""
    return np.ascontiguousarray(samples.float().permute(0, 2, 3, 1).numpy())


def _sample_shape(model: Model) -> tuple[int, int, int]:
    shape = model.config.network.sample_shape
    assert len(shape) == 3
    return shape
