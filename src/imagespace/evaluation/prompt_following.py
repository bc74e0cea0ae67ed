"""Do the samples show what their prompts say?

Labels: the sample's label, as a judge reads it, against that of the real picture whose caption was
the prompt. Retrieval: is the prompt nearest to the picture among 100 captions. Beside each the
same for the real pictures themselves, which no model can be expected to beat, and chance.
"""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagespace.errors import UserError
from imagespace.evaluation.image_text_space import ImageTextSpace
from imagespace.evaluation.label_probe import LabelProbe
from imagespace.evaluation.measured import leaf, share
from imagespace.evaluation.nouns import NOUNS
from imagespace.evaluation.radical_judge import RadicalJudge
from imagespace.evaluation.retrieval import retrieval_ranks
from imagespace.evaluation.subject import Subject
from imagespace.pictures.split import normalised_words

NUM_CANDIDATES = 100
SAMPLES_PER_NOUN = 16


def radicals(subject: Subject, judge: RadicalJudge, samples: NDArray[np.uint8]) -> dict[str, Any]:
    """The judged radical of each sample against those of the prompt's own character."""
    metadata = [subject.pictures.metadata[row] for row in subject.sample_rows]
    listed = [{row["radical"], *row.get("other_radicals", [])} for row in metadata]
    real = subject.pixels(subject.sample_rows)

    def hits(answers: NDArray[np.int64]) -> list[bool]:
        return [int(answer) in own for answer, own in zip(answers, listed, strict=True)]

    commonest = Counter(row["radical"] for row in subject.pictures.metadata).most_common(1)[0][0]
    return {
        "samples": share(hits(judge.predict(samples))),
        "real": share(hits(judge.predict(real))),
        "always_commonest": share([commonest in own for own in listed]),
    }


def nouns(subject: Subject, judge: RadicalJudge) -> dict[str, Any]:
    """Twenty plain nouns, sixteen samples each: is the noun's own radical drawn?"""
    prompts = [noun.prompt for noun in NOUNS for _ in range(SAMPLES_PER_NOUN)]
    wanted = np.repeat([noun.radical for noun in NOUNS], SAMPLES_PER_NOUN)
    answers = judge.predict(subject.draw(subject.settings_for(prompts)))
    return {"samples": share(answers == wanted)}


def labels(
    subject: Subject,
    name: str,
    features: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
) -> dict[str, Any]:
    """A label of the metadata, read by a linear probe on features.

    `features` are those of all training rows, of the samples, and of the real pictures whose
    captions prompted them.
    """
    training, samples, real = features
    metadata = subject.pictures.metadata
    rows = subject.pictures.indices("train")
    known = np.array([name in metadata[row] for row in rows])
    probe = LabelProbe.fit(training[known], [str(metadata[row][name]) for row in rows[known]])
    asked = np.array([name in metadata[row] for row in subject.sample_rows])
    truth = np.array([str(metadata[row][name]) for row in subject.sample_rows[asked]])
    return {
        "samples": share(probe.predict(samples[asked]) == truth),
        "real": share(probe.predict(real[asked]) == truth),
        "always_commonest": share(truth == probe.commonest),
    }


def retrieval(
    subject: Subject, space: ImageTextSpace, samples: NDArray[np.uint8], seed: int
) -> dict[str, Any]:
    """Is the prompt among the nearest one or five of 100 captions? UserError: too few captions."""
    rows, distinct = np.unique(subject.sample_rows, return_index=True)
    if not subject.is_captioned:
        raise UserError("the data", "has no captions", "Retrieval needs captioned pictures")
    captions = [subject.pictures.captions[row] for row in rows]
    words = [normalised_words(caption) for caption in captions]
    names = np.array([sorted(set(words)).index(word) for word in words])
    texts = space.embed_captions(captions)
    found: dict[str, Any] = {}
    for group, pixels in (("samples", samples[distinct]), ("real", subject.pixels(rows))):
        ranks = retrieval_ranks(space.embed_pictures(pixels), texts, names, NUM_CANDIDATES, seed)
        found[group] = {"R@1": share(ranks < 1), "R@5": share(ranks < 5)}
    found["chance"] = {"R@1": leaf(1 / NUM_CANDIDATES, 0.0), "R@5": leaf(5 / NUM_CANDIDATES, 0.0)}
    return found
