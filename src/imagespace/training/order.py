"""Which pictures a step sees: every picture once an epoch, in an order of its own."""

import numpy as np
import torch
from numpy.typing import NDArray

from imagespace.randomness import generator


def evenly(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most `most` of the rows, evenly spaced, as neighbours in a folder are often alike."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(np.int64)]


class EpochOrder:
    """Rows shuffled anew for every epoch; the order of an epoch derives from (seed, epoch)."""

    def __init__(self, rows: NDArray[np.int64], seed: int) -> None:
        self.rows, self.seed = rows, seed
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def batch(self, step: int, size: int) -> NDArray[np.int64]:
        """The rows [B] of a step."""
        return np.array([self.row(step * size + k) for k in range(size)])

    def row(self, position: int) -> int:
        """The row at a position counted from the start of the run."""
        epoch, offset = divmod(position, len(self.rows))
        if epoch != self._epoch:
            random = generator(self.seed, "order", epoch)
            self._order = self.rows[torch.randperm(len(self.rows), generator=random).numpy()]
            self._epoch = epoch
        return int(self._order[offset])
