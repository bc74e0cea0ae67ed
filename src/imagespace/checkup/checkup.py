"""A folder of pictures looked at whole: what is used, what is not and why, what is wrong."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from imagespace.checkup.caption_findings import Row, caption_findings, distinct_captions, texts_of
from imagespace.checkup.finding import Finding, counted, worst_first
from imagespace.checkup.ledger import Ledger, ledger
from imagespace.checkup.picture_findings import (
    duplicate_findings,
    look_findings,
    split_findings,
    unused_findings,
)
from imagespace.checkup.recommendation import Recommendation, recommend
from imagespace.networks.transformer import TransformerConfig
from imagespace.pictures.decoding import Rendering, drawn
from imagespace.pictures.file_walk import Unused, printable
from imagespace.pictures.folder import PictureSet
from imagespace.pictures.inspection import Inspected, every_few, inspect_all
from imagespace.pictures.layouts.recognise import look_for_pictures
from imagespace.pictures.near_duplicates import SIDE_PX, contrasts, near_duplicates
from imagespace.pictures.source import FileSource, Source
from imagespace.recipes import check_size
from imagespace.text.vectors import TextEncoder


@dataclass(frozen=True)
class Checkup:
    """What is known of a folder; row i, source i and look i are of the same used picture.

    `unused` lists all else with its reason; `findings` stand in order, the worst first.
    """

    path: Path
    recognised: str
    notes: list[str]
    rows: list[Row]
    sources: list[Source]
    looks: list[Inspected]
    unused: list[Unused]
    files: Ledger
    findings: list[Finding]
    recommendation: Recommendation | None

    @property
    def is_trainable(self) -> bool:
        """Whether nothing that was found makes training impossible."""
        return all(each.severity != "error" for each in self.findings)

    @property
    def splits(self) -> dict[str, int]:
        """The number of pictures of each split."""
        return dict(sorted(Counter(row["split"] for row in self.rows).items()))

    @property
    def sizes(self) -> list[tuple[str, int]]:
        """How many pictures have which longer side, by powers of 2."""
        sides = np.array([max(each.width_px, each.height_px) for each in self.looks])
        powers = Counter(np.floor(np.log2(np.maximum(sides, 1))).astype(int).tolist())
        return [
            (f"{2**power} to {2 ** (power + 1) - 1} px", n) for power, n in sorted(powers.items())
        ]

    @property
    def counts(self) -> list[str]:
        """The numbers of files and pictures, in words. Each file is in one of the three."""
        files, rows = self.files, self.rows
        num_coloured = sum(each.has_colour for each in self.looks)
        captions = distinct_captions(rows)
        num_captioned = sum(bool(texts_of(row)) for row in rows)
        lines = [
            f"{counted(files.num_files, 'file')}: {files.num_pictures:,} with pictures, "
            f"{files.num_captions:,} with captions, {files.num_unused:,} not used",
            f"{counted(len(rows), 'picture')}, {num_coloured:,} with colour, {num_captioned:,} "
            f"with a caption, {counted(len(captions), 'caption')} distinct",
        ]
        if rows:
            sides = sorted(max(each.width_px, each.height_px) for each in self.looks)
            lines += [
                ", ".join(f"{name} {count:,}" for name, count in self.splits.items()),
                f"longer sides from {sides[0]:,} to {sides[-1]:,} px, the median "
                f"{sides[len(sides) // 2]:,} px",
            ]
        return lines


def check_folder(
    path: Path,
    encoder: TextEncoder,
    image_size_px: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Checkup:
    """Looks at every file of `path`, once; writes nothing.

    UserError: there is no such folder, or no such size. That nothing in it can be used is a
    finding.
    """
    if image_size_px is not None:
        check_size(image_size_px)
    found = look_for_pictures(path)
    small = np.zeros((len(found.sources), SIDE_PX, SIDE_PX, 3), np.uint8)
    rendering = Rendering(SIDE_PX, 3)

    def keep_small(number: int, image: Image.Image, profile: bytes) -> None:
        small[number] = drawn(image, profile, rendering)

    looks = inspect_all(found.sources, progress, keep_small)
    # The recipe is fitted to those that training looks at, so that both come to the same.
    some = [look for look in looks[every_few(looks)] if not look.fault]
    usable = [number for number, look in enumerate(looks) if not look.fault]
    rows, sources = [found.rows[n] for n in usable], [found.sources[n] for n in usable]
    root = path if path.is_dir() else path.parent
    broken = [
        Unused(_place(found.sources[number], root, found.rows[number]), look.fault)
        for number, look in enumerate(looks)
        if look.fault
    ]
    files = ledger(path, sources, found.unused + broken)
    unused = found.unused + files.unaccounted + broken
    looks = [looks[n] for n in usable]
    findings = unused_findings(unused, len(broken))
    recommendation = None
    if not rows:
        findings.append(
            Finding(
                "error",
                "no pictures",
                "0 pictures",
                "nothing in the folder can be used",
                "Put pictures there that can be read",
            )
        )
    else:
        of_splits = split_findings(rows)
        findings += of_splits
        size_px, max_num_tokens = image_size_px or 0, TransformerConfig().max_text_tokens
        if all(each.severity != "error" for each in of_splits):
            recommendation = recommend(rows, some or looks, image_size_px)
            size_px = recommendation.network.image_size_px
        findings += caption_findings(rows, encoder, max_num_tokens)
        if len(usable) < len(small):
            small = small[usable]
        findings += look_findings(rows, looks, contrasts(small), size_px)
        findings += duplicate_findings(rows, near_duplicates(small))
    return Checkup(
        path,
        found.recognised,
        found.notes,
        rows,
        sources,
        looks,
        unused,
        files,
        worst_first(findings),
        recommendation,
    )


def quick_findings(
    pictures: PictureSet, encoder: TextEncoder | None, max_num_tokens: int
) -> list[Finding]:
    """What can be said of pictures that are read already without looking at each: a second.

    Without an encoder, nothing of captions, which are then not read.
    """
    rows = pictures.metadata
    findings = unused_findings(pictures.unused, 0) + split_findings(rows)
    if encoder is not None:
        findings += caption_findings(rows, encoder, max_num_tokens)
    return worst_first(findings)


def _place(source: Source, root: Path, row: Row) -> str:
    """The path below `root`: rows of tables in deeper folders name files relative to these."""
    if isinstance(source, FileSource):
        return printable(os.path.relpath(source.path, root))
    return str(row["file_name"])


def shown_numbers(num_pictures: int, most: int) -> Sequence[int]:
    """At most `most` numbers, evenly spread."""
    return range(0, num_pictures, max(1, -(-num_pictures // most)))
