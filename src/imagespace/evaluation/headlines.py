"""The figures of a report to read first, each with one sentence that says what it is of."""

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from imagespace.evaluation.metrics import Measured, by_figure, figure_parts, label_of
from imagespace.evaluation.report_file import section
from imagespace.page import grid, printed


def headlines(report: Mapping[str, Any]) -> str:
    legibility = _card(
        "Legibility",
        by_figure(report, "legibility", "glyph_like").get("", {}),
        "is how glyph-like the drawings are to an independent character reader",
        {"real": "the prompts' own real ones", "blurred": "blurred ones", "noise": "noise"},
    )
    return grid([_quality(report), _prompt(report), _copies(report), legibility], "cards")


def _card(
    title: str, groups: Mapping[str, Measured], sentence: str, words: Mapping[str, str]
) -> str:
    """A card with the samples' share; those of the groups that have `words` follow the sentence."""
    if (leaf := groups.get("samples")) is None:
        return ""
    value, spread, unit = figure_parts(leaf, is_share=True)
    if leaf.interval and not leaf.error:
        low, _, high = spread.partition(" to ")
        spread = (f"at least {low}" if leaf.value == 1 else f"at most {high}") + unit
    known = [f"{said} {_short(groups[key], True)}" for key, said in words.items() if key in groups]
    said = escape(sentence + (f" ({', '.join(known)})" if known else "") + ".")
    return (
        f'<section class="card"><h2>{escape(title)}</h2><strong>{printed(value + unit)} '
        f"<small>{escape(spread)}</small></strong><p>{said}</p></section>"
    )


def _short(leaf: Measured, is_share: bool = False) -> str:
    value, _, unit = figure_parts(leaf, is_share)
    return printed(value + unit)


def _quality(report: Mapping[str, Any]) -> str:
    """How far the samples stand on the way from the floor to blurred pictures, where furthest."""
    shares, figures = {}, {}
    for extractor in section(report, "quality"):
        found = by_figure(report, "quality", extractor).get("kernel_distance", {})
        samples, floor, blurred = (found.get(group) for group in ("samples", "real", "blurred"))
        if samples and floor and blurred and blurred.value > floor.value:
            span = blurred.value - floor.value
            error = math.hypot(samples.error or 0, floor.error or 0) / span
            shares[extractor] = Measured((samples.value - floor.value) / span, error)
            figures[extractor] = f"{_short(samples)} between {_short(floor)} and {_short(blurred)}"
    if not shares:
        return ""
    worst = max(shares, key=lambda extractor: shares[extractor].value)
    others = [f"{_short(s, True)} in {name}" for name, s in shares.items() if name != worst]
    sentence = (
        "of the way from real pictures (0 %) to blurred ones (100 %), by the kernel distance to "
        f"unseen pictures in {worst} features: {figures[worst]}"
        + (f"; {', '.join(others)} features" if others else "")
    )
    return _card("Quality", {"samples": shares[worst]}, sentence, {})


def _prompt(report: Mapping[str, Any]) -> str:
    """The first label that a judge reads, or else retrieval."""
    for name in section(report, "prompt_following"):
        groups = by_figure(report, "prompt_following", name).get("", {})
        if "samples" in groups and name != "nouns":
            sentence = f"of the drawings have the {label_of(name)} that their prompt asks for"
            real = "real ones that the judge never saw" if name == "radical" else "real pictures"
            words = {"real": real, "always_commonest": "always the commonest"}
            return _card("Follows the prompt", groups, sentence, words)
    groups = by_figure(report, "prompt_following", "retrieval").get("R@1", {})
    sentence = "of the drawings have their own prompt as the nearest among others"
    words = {"real": "real pictures", "chance": "chance"}
    return _card("Follows the prompt", groups, sentence, words)


def _copies(report: Mapping[str, Any]) -> str:
    space = next(iter(section(report, "newness", "copies")), "")
    groups = by_figure(report, "newness", "copies", space).get("", {})
    sentence = "of the samples are much nearer to one training picture than to any other"
    return _card("Copies", groups, f"{sentence}, in {space}", {"real": "unseen real pictures"})
