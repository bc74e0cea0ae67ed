"""What a cluster is called: the labels and caption words that tell it from the rest of the map.

A word is scored by its log-odds inside against outside with an informative Dirichlet prior, the
words of all pictures, divided by its standard error (Monroe, Colaresi and Quinn 2008, eq. 22):

    delta = log (y_in + a) / (n_in + a_0 - y_in - a) - log (y_out + a) / (n_out + a_0 - y_out - a)
    z = delta / sqrt(1 / (y_in + a) + 1 / (y_out + a))
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imagespace.atlas.caption_words import is_han, words_of
from imagespace.atlas.labels import are_numbers

PRIOR_WEIGHT = 0.1  # of a word's own count in all captions
LEAST_Z = 2.0
LEAST_SHARE = 0.04  # of a cluster's pictures that carry a word that names it
LABEL_SHARE, LABEL_LIFT = 0.5, 1.15  # of a cluster that carries a label, and over all pictures
NUM_WORDS = 2
MOST_KINDS_TO_SEE = 12  # of a label; with more, no single one fills a cluster


def log_odds(inside: Counter[str], outside: Counter[str]) -> dict[str, float]:
    """z of every word inside: how much more often than outside, in standard errors."""
    prior = {word: PRIOR_WEIGHT * (inside[word] + outside[word]) for word in inside}
    total_prior = PRIOR_WEIGHT * (inside.total() + outside.total())
    num_in, num_out = inside.total() + total_prior, outside.total() + total_prior
    found = {}
    for word, a in prior.items():
        y_in, y_out = inside[word] + a, outside[word] + a
        if y_in >= num_in or y_out >= num_out:
            continue  # the only word there is tells nothing
        delta = math.log(y_in / (num_in - y_in)) - math.log(y_out / (num_out - y_out))
        found[word] = delta / math.sqrt(1 / y_in + 1 / y_out)
    return found


def name_clusters(
    cluster_of: NDArray[np.int64],
    captions: Sequence[str],
    labels: dict[str, list[str]],
) -> list[str]:
    """A name for each cluster: its labels, then the caption words that tell it; all different.

    A label of most of a cluster's pictures, and of fewer elsewhere, names it; of labels with many
    kinds, else the two most telling by log-odds. Labels that are numbers serve where no other do,
    with the name of their column. A cluster without any such label or word is called by its number.
    """
    words = _Bags([words_of(caption) for caption in captions])
    numbers = {name: each for name, each in labels.items() if are_numbers(each)}
    kinds = [each for name, each in labels.items() if name not in numbers] or [
        [f"{name} {kind}" if kind else "" for kind in each] for name, each in numbers.items()
    ]
    columns = [_Bags([{kind} if kind else set() for kind in each]) for each in kinds]
    names: list[str] = []
    for cluster in range(int(cluster_of.max()) + 1):
        rows = np.flatnonzero(cluster_of == cluster)
        parts = []
        for column in columns:
            if commonest := column.commonest(rows):
                parts.append(commonest)
            elif len(column.counts) > MOST_KINDS_TO_SEE:
                parts.append(", ".join(column.telling(rows)[:NUM_WORDS]))
        parts = [part for part in parts if part]
        own = {word for part in parts for word in words_of(part)}
        telling = [word for word in words.telling(rows) if word not in own]
        # One word beside labels, which say more; more words where they are all there is.
        parts += [", ".join(telling[: 1 if parts else NUM_WORDS])] if telling else []
        name = " · ".join(parts) or f"cluster {cluster + 1}"
        names.append(name if name not in names else f"{name} ({cluster + 1})")
    return names


class _Bags:
    """The words or labels of every picture, and how many pictures carry each."""

    def __init__(self, bags: list[set[str]]) -> None:
        self.bags = bags
        self.counts = Counter(word for bag in bags for word in bag)

    def commonest(self, rows: NDArray[np.int64]) -> str:
        """The word of most of these pictures, if it is on a smaller part of all; else ""."""
        inside = Counter(word for row in rows for word in self.bags[row])
        if not inside:
            return ""
        word, count = inside.most_common(1)[0]
        share, everywhere = count / len(rows), self.counts[word] / len(self.bags)
        return word if share >= LABEL_SHARE and share >= LABEL_LIFT * everywhere else ""

    def telling(self, rows: NDArray[np.int64]) -> list[str]:
        """The words that tell these pictures from the others, the most telling first."""
        inside = Counter(word for row in rows for word in self.bags[row])
        scores = log_odds(inside, self.counts - inside)
        frequent = [
            word
            for word, z in scores.items()
            if z >= LEAST_Z and inside[word] >= LEAST_SHARE * len(rows)
        ]
        chosen: list[str] = []
        for word in sorted(frequent, key=lambda word: (-scores[word], -len(word), word)):
            # Of two that tell as much the longer; a part of a word that is named says no more.
            if not (is_han(word) and any(word in other or other in word for other in chosen)):
                chosen.append(word)
        return chosen
