"""Search in an image-text space: the pictures nearest to words, the captions nearest to a picture.

Nearness is the inner product of unit vectors, 1 for the same direction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imagespace.errors import UserError
from imagespace.evaluation.image_text_space import MAX_TEXT_TOKENS, ImageTextSpace
from imagespace.evaluation.kept_arrays import kept
from imagespace.evaluation.space_training import CACHE
from imagespace.pictures.folder import PictureSet

CHUNK = 256


@dataclass(frozen=True)
class Nearest:
    """Rows, nearest first, and their nearness."""

    rows: list[int]
    scores: list[float]


class Search:
    """A set's pictures and captions in its space; vectors are computed once and kept in `cache`."""

    def __init__(
        self,
        space: ImageTextSpace,
        pictures: PictureSet,
        cache: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.space, self.pictures = space, pictures
        self.captions = sorted({caption for caption in pictures.captions if caption.strip()})
        stem = f"{pictures.key}-{space.fingerprint}"
        folder = cache or CACHE

        def of_pictures() -> Tensor:
            parts = []
            for start in range(0, len(pictures), CHUNK):
                # A copy: torch takes no read-only memory.
                parts.append(space.embed_pictures(np.array(pictures.pixels[start : start + CHUNK])))
                if progress is not None:
                    progress(min(start + CHUNK, len(pictures)), len(pictures))
            return torch.cat(parts)

        def of_captions() -> Tensor:
            return space.embed_captions(self.captions) if self.captions else torch.empty(0, 1)

        self.picture_vectors = torch.from_numpy(
            kept(folder / f"{stem}-pictures.npy", lambda: of_pictures().numpy())
        )
        self.caption_vectors = torch.from_numpy(
            kept(folder / f"{stem}-captions.npy", lambda: of_captions().numpy())
        )

    def words(self, text: str) -> Tensor:
        """The unit vector [E] of a text. UserError: it has no readable word, or too many."""
        self.space.encoder.check_prompt(text, MAX_TEXT_TOKENS)
        return self.space.embed_captions([text])[0]

    def nearest_pictures(self, vector: Tensor, num: int) -> Nearest:
        """The `num` rows of the set nearest to a unit vector [E]; all if there are fewer."""
        return _nearest(self.picture_vectors, vector, num)

    def nearest_captions(self, vector: Tensor, num: int) -> Nearest:
        """The `num` rows of `captions` nearest to it. UserError: the set has no captions."""
        if not self.captions:
            raise UserError("the pictures", "have no captions", "Ask for pictures alone")
        return _nearest(self.caption_vectors, vector, num)


def _nearest(vectors: Tensor, vector: Tensor, num: int) -> Nearest:
    near = vectors @ vector
    scores, rows = near.topk(min(num, len(near)))
    return Nearest(rows.tolist(), scores.tolist())
