"""Build the emoji folder: pictures of about 1,900 concepts in two or six styles, with captions."""

import json
import multiprocessing
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagespace.errors import UserError
from imagespace.pictures.emoji_attribution import ATTRIBUTION_FILE, attribution
from imagespace.pictures.emoji_names import Concept, read_concepts
from imagespace.pictures.emoji_pictures import DrawingJob, repeats, write_emoji
from imagespace.pictures.emoji_styles import (
    PIP_REMEDY,
    PURPOSE,
    Style,
    name_sources,
    npm_styles,
    pip_styles,
)
from imagespace.pictures.new_folder import new_folder
from imagespace.pictures.packages import package_folder
from imagespace.pictures.split import HELD_OUT, TRAIN, draw_per_thousand, split_of

PAIRS_PER_THOUSAND = 50
# Families that the recipe's sample prompts name: a sheet of what was never seen shows nothing.
_SHOWN = frozenset(("avocado", "panda", "banana", "cat", "house", "automobile", "green heart"))
HELD_OUT_CONCEPT, HELD_OUT_PAIR = "concept", "pair"
_CHUNK = 16  # drawings handed to a process at once


@dataclass(frozen=True)
class EmojiSummary:
    """What a build wrote, by style and split, and what it left out."""

    folder: Path
    num_concepts: int
    counts: dict[str, dict[str, int]]  # style, then split; held_out as "concept" and "pair"
    dropped: dict[str, int]

    @property
    def num_pictures(self) -> int:
        return sum(sum(splits.values()) for splits in self.counts.values())


def build_emoji(
    out: Path,
    image_size_px: int = 64,
    all_styles: bool = False,
    npm_folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> EmojiSummary:
    """Write a data folder of emoji to `out`, whole or not at all.

    Two styles from Python packages; with `all_styles` four more from npm packages, which lie in
    `npm_folder` or are fetched by npm. `progress(done, total)` is called now and then. UserError:
    a package is absent, `out` is in use, or its parent cannot be written.
    """
    if not 16 <= image_size_px <= 1024:
        raise UserError(
            f"image size {image_size_px} px", "an emoji is 16 to 1024 px wide", "Use --size 64."
        )
    if npm_folder is not None and not all_styles:
        raise UserError(
            f"--npm {npm_folder}", "it is read for more styles alone", "Add --all-styles."
        )
    package_folder("resvg_py", "resvg-py", PURPOSE, PIP_REMEDY)
    sources, names, keywords = name_sources()
    concepts = read_concepts(names, keywords)
    styles = pip_styles()
    with new_folder(out) as partial, tempfile.TemporaryDirectory(prefix="imagespace-") as scratch:
        if all_styles:
            styles += npm_styles(concepts, npm_folder, Path(scratch))
        num_concepts, counts, dropped = _write(
            partial, concepts, styles, image_size_px, all_styles, progress
        )
        text = attribution([style.source for style in styles], sources)
        (partial / ATTRIBUTION_FILE).write_text(text, encoding="utf-8")
    return EmojiSummary(out, num_concepts, counts, dropped)


def _write(
    partial: Path,
    concepts: Sequence[Concept],
    styles: Sequence[Style],
    image_size_px: int,
    with_pairs: bool,
    progress: Callable[[int, int], None] | None,
) -> tuple[int, dict[str, dict[str, int]], dict[str, int]]:
    dropped: Counter[str] = Counter()
    wanted: list[tuple[Style, Concept, DrawingJob]] = []
    for style in styles:
        (partial / "images" / style.key).mkdir(parents=True)
        for concept in concepts:
            if concept.key not in style.drawings:
                dropped[f"no {style.key} drawing of the concept"] += 1
                continue
            file = partial / "images" / style.key / f"{concept.key}.png"
            job = DrawingJob(style.drawings[concept.key], file, image_size_px)
            wanted.append((style, concept, job))
    signatures = _draw([job for _, _, job in wanted], progress)
    kept: list[tuple[Style, Concept]] = []
    for style in styles:
        own = [i for i, (of, _, _) in enumerate(wanted) if of is style]
        for i, repeated in zip(own, repeats([signatures[i] for i in own]), strict=True):
            if signatures[i].min() == 255:
                dropped["the drawing is blank"] += 1
            elif repeated is not None:
                dropped["looks like another emoji of its style"] += 1
            else:
                kept.append((style, wanted[i][1]))
                continue
            wanted[i][2].file.unlink()
    held_out_pairs = _held_out_pairs(kept) if with_pairs else frozenset()
    counts: dict[str, Counter[str]] = {style.key: Counter() for style in styles}
    with (partial / "metadata.jsonl").open("w", encoding="utf-8") as lines:
        for style, concept in kept:
            row = emoji_row(concept, style, (concept.key, style.key) in held_out_pairs)
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
            counts[style.key][str(row.get("held_out", row["split"]))] += 1
    num_concepts = len({concept.key for _, concept in kept})
    return num_concepts, {key: dict(splits) for key, splits in counts.items()}, dict(dropped)


def _draw(
    jobs: Sequence[DrawingJob], progress: Callable[[int, int], None] | None
) -> list[NDArray[np.uint8]]:
    """Signatures of all jobs, drawn by one process a core."""
    signatures = []
    # Fresh processes: a forked one would inherit locks that the progress bar's thread holds.
    context = multiprocessing.get_context("spawn")
    num_processes = min(_num_cores(), -(-len(jobs) // _CHUNK))
    with ProcessPoolExecutor(num_processes, context, _ignore_interruption) as pool:
        for signature in pool.map(write_emoji, jobs, chunksize=_CHUNK):
            signatures.append(signature)
            if progress is not None and (len(signatures) % 64 == 0 or len(signatures) == len(jobs)):
                progress(len(signatures), len(jobs))
    return signatures


def _num_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _ignore_interruption() -> None:
    """The parent is interrupted too, and ends the pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def concept_split(concept: Concept) -> str:
    """The split of a concept in all styles, by its family's name alone.

    Always trained on are flags of places, which nobody can draw from a country's name, and the
    concepts of the recipe's sample prompts.
    """
    if concept.is_flag_of_place or concept.family in _SHOWN:
        return TRAIN
    return split_of(concept.family)


def _held_out_pairs(kept: Sequence[tuple[Style, Concept]]) -> frozenset[tuple[str, str]]:
    """Pairs (concept, style) of trained concepts that training does not see in this style.

    Drawn by family, so that the man's picture does not give the woman's away; taken back where the
    concept would be left without any style.
    """
    drawn: dict[str, set[str]] = {}
    num_styles: Counter[str] = Counter()
    for style, concept in kept:
        if concept_split(concept) != TRAIN:
            continue
        num_styles[concept.key] += 1
        if draw_per_thousand(f"{concept.family} | {style.key}") < PAIRS_PER_THOUSAND:
            drawn.setdefault(concept.key, set()).add(style.key)
    return frozenset(
        (concept, style)
        for concept, styles in drawn.items()
        if len(styles) < num_styles[concept]
        for style in styles
    )


def emoji_row(concept: Concept, style: Style, is_held_out_pair: bool) -> dict[str, object]:
    """One row of metadata.jsonl."""
    row: dict[str, object] = {
        "file_name": f"images/{style.key}/{concept.key}.png",
        "text": f"{concept.name}, {style.words}",
        "also": _alternatives(concept, style),
        "split": concept_split(concept),
        "code_points": " ".join(f"U+{point.upper():0>4}" for point in concept.key.split("-")),
        "concept": concept.name,
        "family": concept.family,
        "style": style.key,
        "group": concept.group,
        "kind": concept.kind,
        "licence": style.source.licence,
    }
    if row["split"] == HELD_OUT:
        row["held_out"] = HELD_OUT_CONCEPT
    elif is_held_out_pair:
        row |= {"split": HELD_OUT, "held_out": HELD_OUT_PAIR}
    return row


def _alternatives(concept: Concept, style: Style) -> list[str]:
    """The name alone, the keywords with the style, and the kind with the style."""
    words = ", ".join(concept.keywords)
    captions = [concept.name, f"{words}, {style.words}" if words else ""]
    return [caption for caption in (*captions, f"{concept.kind}, {style.words}") if caption]
