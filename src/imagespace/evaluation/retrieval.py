"""Is a picture's own caption the nearest one? Ranks in an image-text space."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagespace.errors import UserError
from imagespace.randomness import generator


def retrieval_ranks(
    pictures: Tensor, captions: Tensor, names: NDArray[np.int64], num_candidates: int, seed: int
) -> NDArray[np.int64]:
    """The rank (0 = nearest) of each picture's own caption among `num_candidates`.

    pictures and captions are unit vectors [N, E], row by row together; the other candidates are
    drawn at random from captions with another of the `names` [N]. UserError: too few of those.
    """
    distinct, first_rows = np.unique(names, return_index=True)
    if len(distinct) < num_candidates:
        raise UserError(
            f"{len(distinct)} different captions",
            f"retrieval asks for one among {num_candidates}",
            "Add held-out captions",
        )
    similarity = pictures @ captions.T
    ranks = np.empty(len(names), np.int64)
    for row, own in enumerate(names):
        random = generator(seed, "retrieval", row)
        order = torch.randperm(len(distinct), generator=random).numpy()
        others = first_rows[order[distinct[order] != own][: num_candidates - 1]]
        ranks[row] = int((similarity[row, others] >= similarity[row, row]).sum())
    return ranks
