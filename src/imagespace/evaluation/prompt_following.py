"""Do the samples show what their prompts say?

Labels: the sample's label, as a judge reads it, against that of the real picture whose caption was
the prompt. Retrieval: is the prompt nearest to the picture among 100 captions. Beside each the
same for the real pictures themselves, which no model can be expected to beat, and chance. Only
prompts that training never read count, as far as there are any (`Subject.followed`); of the nouns,
which are plain words, training has read most.
"""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagespace.evaluation.held_out import read_texts
from imagespace.evaluation.image_text_space import ImageTextSpace
from imagespace.evaluation.label_probe import LabelProbe
from imagespace.evaluation.measured import leaf, share
from imagespace.evaluation.nouns import NOUNS
from imagespace.evaluation.radical_judge import RadicalJudge, is_held_out
from imagespace.evaluation.retrieval import retrieval_ranks
from imagespace.evaluation.subject import Subject
from imagespace.pictures.split import normalised_words
from imagespace.pictures.unseen import compared

NUM_CANDIDATES = 100
SAMPLES_PER_NOUN = 16


def prompts(subject: Subject) -> dict[str, int]:
    """How many prompts are followed, and how many of those training never read."""
    followed = subject.followed
    return {"num": len(followed), "num_unread": int(subject.unread[followed].sum())}


def radicals(subject: Subject, judge: RadicalJudge, samples: NDArray[np.uint8]) -> dict[str, Any]:
    """The judged radical of each sample against those of the prompt's own character.

    "real" are the prompts' own glyphs whose characters the judge never saw in its training, if
    there are any: it knows nearly all others by heart.
    """
    rows = subject.sample_rows[subject.followed]
    answers = judge.predict(samples[subject.followed])
    commonest = Counter(row["radical"] for row in subject.pictures.metadata).most_common(1)[0][0]
    return {
        "samples": share(_are_listed(subject, rows, answers)),
        "always_commonest": share(_are_listed(subject, rows, np.full(len(rows), commonest))),
        **_judged_real(subject, judge, rows),
    }


def _judged_real(subject: Subject, judge: RadicalJudge, rows: NDArray[np.int64]) -> dict[str, Any]:
    """The judge on those real glyphs whose characters it never saw; {} if there are none."""
    characters = [subject.pictures.metadata[row]["character"] for row in rows]
    unknown = rows[np.array([is_held_out(ord(character)) for character in characters], dtype=bool)]
    if not len(unknown):
        return {}
    return {"real": share(_are_listed(subject, unknown, judge.predict(subject.pixels(unknown))))}


def _are_listed(
    subject: Subject, rows: NDArray[np.int64], answers: NDArray[np.int64]
) -> list[bool]:
    """Whether each answer is a radical under which the row's character is listed."""
    metadata = [subject.pictures.metadata[row] for row in rows]
    return [
        int(answer) in (row["radical"], *(row.get("other_radicals") or []))
        for answer, row in zip(answers, metadata, strict=True)
    ]


def nouns(subject: Subject, judge: RadicalJudge) -> dict[str, Any]:
    """Twenty plain nouns, sixteen samples each: is the noun's own radical drawn?

    "real" are all glyphs of these radicals whose characters the judge never saw in its training;
    "chance" is what real glyphs drawn without regard to the prompt would have, mean over the nouns.
    `num_read` of the nouns are texts that training read.
    """
    asked = [noun.prompt for noun in NOUNS for _ in range(SAMPLES_PER_NOUN)]
    wanted = np.repeat([noun.radical for noun in NOUNS], SAMPLES_PER_NOUN)
    answers = judge.predict(subject.draw(subject.settings_for(asked)))
    shown = np.array([row["radical"] for row in subject.pictures.metadata])
    read = read_texts(subject.pictures)
    return {
        "samples": share(answers == wanted),
        "chance": leaf(float(np.mean([np.mean(shown == noun.radical) for noun in NOUNS])), 0.0),
        **_judged_real(subject, judge, np.flatnonzero(np.isin(shown, wanted))),
        "num_read": sum(compared(noun.prompt) in read for noun in NOUNS),
    }


def labels(
    subject: Subject,
    name: str,
    features: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
) -> dict[str, Any]:
    """A label of the metadata, read by a linear probe on features.

    `features` are those of all training rows, of the samples, and of the real pictures whose
    captions prompted them. UserError: no prompt's own picture has the label.
    """
    training, samples, real = features
    metadata = subject.pictures.metadata

    def has_label(row: np.int64) -> bool:
        return isinstance(metadata[row].get(name), str)

    rows = subject.pictures.indices("train")
    known = np.array([has_label(row) for row in rows], dtype=bool)
    probe = LabelProbe.fit(training[known], [metadata[row][name] for row in rows[known]])
    asked = np.array([n for n in subject.followed if has_label(subject.sample_rows[n])], np.int64)
    truth = np.array([metadata[row][name] for row in subject.sample_rows[asked]])
    return {
        "samples": share(probe.predict(samples[asked]) == truth),
        "real": share(probe.predict(real[asked]) == truth),
        "always_commonest": share(truth == probe.commonest),
    }


def retrieval(
    subject: Subject, space: ImageTextSpace, samples: NDArray[np.uint8], seed: int
) -> dict[str, Any]:
    """Is the prompt among the nearest one or five of 100 captions? UserError: too few captions."""
    rows = subject.sample_rows[subject.followed]
    names = _caption_names(subject)
    texts = space.embed_captions([subject.pictures.captions[row] for row in rows])
    found: dict[str, Any] = {}
    for group, pixels in (("samples", samples[subject.followed]), ("real", subject.pixels(rows))):
        ranks = retrieval_ranks(space.embed_pictures(pixels), texts, names, NUM_CANDIDATES, seed)
        found[group] = {"R@1": share(ranks < 1), "R@5": share(ranks < 5)}
    found["chance"] = {"R@1": leaf(1 / NUM_CANDIDATES, 0.0), "R@5": leaf(5 / NUM_CANDIDATES, 0.0)}
    return found


def can_rank(subject: Subject) -> bool:
    """Whether there are captions enough for `retrieval`."""
    return subject.is_captioned and len(set(_caption_names(subject))) >= NUM_CANDIDATES


def _caption_names(subject: Subject) -> NDArray[np.int64]:
    """A number for each caption that is followed, equal for those that say the same."""
    rows = subject.sample_rows[subject.followed]
    words = [normalised_words(subject.pictures.captions[row]) for row in rows]
    return np.unique(np.array(words), return_inverse=True)[1].astype(np.int64)
