"""What a subject can be measured with here: the name and the fingerprint of every judge at hand."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from imagespace.errors import UserError
from imagespace.evaluation.image_text_space import ImageTextSpace
from imagespace.evaluation.imagenet_features import ImageNetFeatures
from imagespace.evaluation.legibility import GlyphReader
from imagespace.evaluation.radical_judge import WEIGHTS_PATH, load_radical_judge, sha256_of
from imagespace.evaluation.random_features import RandomFeatures
from imagespace.evaluation.report_file import section
from imagespace.evaluation.subject import Subject


def judges_at_hand(subject: Subject, space: ImageTextSpace | None) -> dict[str, str]:
    """Fingerprints, by name, of the judges that have something to say of a subject.

    A judge whose package or weights are absent is left out, and so is the image-text space where
    `space` is None.
    """
    num_channels = subject.pictures.pixels.shape[3]
    ways: dict[str, Callable[[], str]] = {
        "imagenet": lambda: ImageNetFeatures().fingerprint,
        "random": lambda: RandomFeatures(num_channels).fingerprint,
    }
    if subject.is_glyphs:
        ways["reader"] = lambda: sha256_of(GlyphReader().path)[:16]
        if subject.is_captioned:
            ways["radical"] = _radical
    found = {} if space is None else {space.name: space.fingerprint}
    for name, fingerprint in ways.items():
        # The evaluation asks each of them again, and notes which cannot be had and why.
        with suppress(UserError):
            found[name] = fingerprint()
    return found


def _radical() -> str:
    load_radical_judge()
    return sha256_of(WEIGHTS_PATH)[:16]


def outdated_judges(report: Mapping[str, Any], at_hand: Mapping[str, str]) -> list[str]:
    """The judges at hand that a report lacks, or that it has with another fingerprint."""
    used = section(report, "judges")
    return [name for name, fingerprint in at_hand.items() if used.get(name) != fingerprint]


def lost_judges(report: Mapping[str, Any], at_hand: Mapping[str, str]) -> list[str]:
    """The judges of a report that cannot be had here any more."""
    return [name for name in section(report, "judges") if name not in at_hand]


def lacking_curves(
    report: Mapping[str, Any], at_hand: Mapping[str, str], asked: Sequence[str]
) -> list[str]:
    """The curves to measure: those asked for that a report lacks, and its own by other judges.

    Each says in `curve_judges` by whom its figures were measured; a judge that cannot be had here
    contradicts nothing.
    """
    names = dict.fromkeys([*section(report, "curves"), *asked])
    return [name for name in names if not _is_current(report, name, at_hand)]


def _is_current(report: Mapping[str, Any], curve: str, at_hand: Mapping[str, str]) -> bool:
    used = section(report, "curve_judges", curve)
    figures = [section(used, name) for name in used]
    prints = [(str(figure.get("judge")), figure.get("fingerprint")) for figure in figures]
    is_there = curve in section(report, "curves") and bool(prints)
    return is_there and all(at_hand.get(judge, own) == own for judge, own in prints)


def is_complete(
    report: Mapping[str, Any], at_hand: Mapping[str, str], asked: Sequence[str]
) -> bool:
    """Whether a subject's report lacks nothing that could be measured now, with these curves."""
    return not outdated_judges(report, at_hand) and not lacking_curves(report, at_hand, asked)
