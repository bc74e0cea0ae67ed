"""A linear reader of one label: ridge regression from features to one-hot labels, in closed form.

W = (X^T X + lambda I)^-1 X^T Y for standardised features X with a constant column.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagespace.errors import UserError

RIDGE = 1e-2  # of the number of examples, on standardised features
LARGEST_NUM_LABELS = 50
RAREST_NUM = 20  # examples of a label; rarer ones cannot be learnt
REQUIRED_SHARE = 0.5  # of the pictures that carry the label at all


@dataclass(frozen=True)
class LabelProbe:
    """Reads one of `labels` from features [N, D]."""

    labels: NDArray[np.str_]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    weight: NDArray[np.float64]
    commonest: str

    @classmethod
    def fit(cls, features: NDArray[np.float32], labels: Sequence[str]) -> "LabelProbe":
        """Learns from features [N, D] and their labels. UserError: fewer than two labels."""
        names, answers = np.unique(np.array(labels), return_inverse=True)
        if len(names) < 2:
            raise UserError(
                f"labels {', '.join(names)!r}", "a label is read among at least two", "Add others"
            )
        centre, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
        x = _design(features, centre, spread)
        target = np.eye(len(names))[answers]
        gram = x.T @ x + RIDGE * len(x) * np.eye(x.shape[1])
        commonest = Counter(labels).most_common(1)[0][0]
        return cls(names, centre, spread, np.linalg.solve(gram, x.T @ target), commonest)

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.str_]:
        """The most likely label of each of features [N, D]."""
        scores = _design(features, self.centre, self.spread) @ self.weight
        read: NDArray[np.str_] = self.labels[scores.argmax(axis=1)]
        return read


def _design(features: NDArray[Any], centre: NDArray[Any], spread: NDArray[Any]) -> NDArray[Any]:
    standardised = (features.astype(np.float64) - centre) / spread
    return np.hstack([standardised, np.ones((len(features), 1))])


def readable_labels(metadata: Sequence[dict[str, Any]]) -> list[str]:
    """Metadata fields that a probe can learn: words, few of them, each often enough, on most rows.

    "structure" of glyphs and "style" of emoji are; file names, code points and numbers are not.
    """
    found = []
    for name in dict.fromkeys(key for row in metadata[:1000] for key in row):
        if name in ("file_name", "text", "split"):
            continue
        values = Counter(row[name] for row in metadata if isinstance(row.get(name), str))
        common = [count for count in values.values() if count >= RAREST_NUM]
        enough = values.total() >= REQUIRED_SHARE * len(metadata)
        if enough and len(common) >= 2 and len(values) <= LARGEST_NUM_LABELS:
            found.append(name)
    return found
