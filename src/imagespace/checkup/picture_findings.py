"""What the pictures of a set lack: number, size, content, and difference from one another."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imagespace.checkup.caption_findings import Row, texts_of
from imagespace.checkup.finding import Finding, counted, listed, share
from imagespace.pictures.file_walk import Unused
from imagespace.pictures.inspection import Inspected
from imagespace.pictures.split import HELD_OUT, TRAIN, VALIDATION, normalised_words

_FEW = 100
_ELONGATED = 2.0
_FLAT_LEVELS = 1.5  # of 255: contrast of a picture of one colour, compressed
_NUM_EXAMPLES = 20
_NUM_SHOWN = 12


def split_findings(rows: Sequence[Row]) -> list[Finding]:
    """Too few pictures to learn from, or none to judge by."""
    counts = Counter(row["split"] for row in rows)
    num = counts[TRAIN]
    if not num:
        return [
            Finding(
                "error",
                "no training pictures",
                f"{counted(len(rows), 'picture')}, none in the training split",
                "a model learns from the training split alone",
                "Mark pictures with split train in metadata.jsonl",
            )
        ]
    found = []
    if num < _FEW:
        found.append(
            Finding(
                "warning",
                "few pictures",
                f"{counted(num, 'picture')} to train on",
                f"fewer than {_FEW} are learnt by heart: the model will copy them",
                "Add pictures",
            )
        )
    if not counts[VALIDATION]:
        found.append(
            Finding(
                "remark",
                "no validation pictures",
                "0 pictures in the validation split",
                "the held-out loss is then measured on training pictures",
                "Add pictures, or mark some with split validation in metadata.jsonl",
            )
        )
    return found


def unused_findings(unused: Sequence[Unused], num_broken: int) -> list[Finding]:
    """The last `num_broken` of `unused` are pictures that cannot be read."""
    found = []
    broken = unused[len(unused) - num_broken :]
    others = [each for each in unused[: len(unused) - num_broken] if not each.beside]
    beside = [each for each in unused[: len(unused) - num_broken] if each.beside]
    for severity, kind, chosen, noun, rule, remedy in (
        (
            "warning",
            "unreadable pictures",
            broken,
            "cannot be read",
            "they are left out",
            "Save them anew, or remove them",
        ),
        (
            "warning",
            "unused files",
            others,
            "left out",
            "they look like pictures or captions",
            "Mend them, or move them away",
        ),
        (
            "remark",
            "other files",
            beside,
            "passed over",
            "they are no pictures or captions",
            "This is no fault",
        ),
    ):
        if chosen:
            reasons = Counter(each.reason for each in chosen)
            why = listed([f"{reason} ({n:,})" for reason, n in reasons.most_common()])
            found.append(
                Finding(
                    severity,  # type: ignore[arg-type]
                    kind,
                    f"{counted(len(chosen), 'file or row', 'files or rows')} {noun}",
                    f"{rule}: {why}",
                    remedy,
                    [f"{each.path}: {each.reason}" for each in chosen[:_NUM_EXAMPLES]],
                )
            )
    return found


def look_findings(
    rows: Sequence[Row],
    looks: Sequence[Inspected],
    contrast: NDArray[np.float32],
    image_size_px: int,
) -> list[Finding]:
    """Pictures that are smaller than the model's, elongated, of one colour, or alone in colour."""
    found = []
    sides = np.array([max(each.width_px, each.height_px) for each in looks])
    short = np.array([max(1, min(each.width_px, each.height_px)) for each in looks])
    for chosen, severity, kind, what, rule, remedy in (
        (
            sides < image_size_px,
            "warning",
            "small pictures",
            f"are smaller than {image_size_px} px",
            "enlarged pictures are blurred, and the model learns the blur",
            "Replace them by larger ones, or take a smaller size",
        ),
        (
            contrast < _FLAT_LEVELS,
            "warning",
            "flat pictures",
            "are of one colour all over",
            "there is nothing to see in them",
            "Remove them, unless they are meant",
        ),
        (
            sides > _ELONGATED * short,
            "remark",
            "elongated pictures",
            f"are more than {_ELONGATED:g} times as long as wide",
            "squares are filled up with the background",
            "Cut them to squares if the background is not to be learnt",
        ),
    ):
        numbers = np.flatnonzero(chosen).tolist()
        if numbers:
            found.append(
                Finding(
                    severity,  # type: ignore[arg-type]
                    kind,
                    f"{share(len(numbers), len(rows))} pictures {what}",
                    rule,
                    remedy,
                    [
                        f"{rows[n]['file_name']}: {looks[n].width_px} x {looks[n].height_px}"
                        for n in numbers[:_NUM_EXAMPLES]
                    ],
                    [numbers[:_NUM_SHOWN]],
                )
            )
    coloured = [number for number, each in enumerate(looks) if each.has_colour]
    if 0 < len(coloured) < 0.05 * len(rows):
        found.append(
            Finding(
                "remark",
                "few in colour",
                f"{share(len(coloured), len(rows))} pictures have colour",
                "one of them, among some 500 that are looked at, makes the model one of colour",
                "Remove them if grey is meant",
                [rows[number]["file_name"] for number in coloured[:_NUM_EXAMPLES]],
                [coloured[:_NUM_SHOWN]],
            )
        )
    return found


def duplicate_findings(rows: Sequence[Row], groups: Sequence[list[int]]) -> list[Finding]:
    """Pictures nearly the same: that they are, under which captions, and on which sides."""
    if not groups:
        return []
    found = []
    num_spare = sum(len(group) - 1 for group in groups)
    largest = sorted(groups, key=len, reverse=True)
    found.append(
        Finding(
            "warning" if num_spare > 0.01 * len(rows) else "remark",
            "near-duplicate pictures",
            f"{share(num_spare, len(rows))} pictures nearly repeat another "
            f"({counted(len(groups), 'group')})",
            "what is shown more often is learnt sooner, and by heart",
            "Keep one of each group",
            [_names(rows, group) for group in largest[:_NUM_EXAMPLES]],
            [group[:4] for group in largest[:_NUM_SHOWN]],
        )
    )
    opposed = [group for group in groups if _contradict(rows, group)]
    if opposed:
        found.append(
            Finding(
                "warning",
                "contradictory captions",
                f"{counted(len(opposed), 'group')} of near-duplicates under different captions",
                "what looks nearly the same is taught under captions that have nothing in common",
                "Keep the right one, or give both to one picture",
                [_names(rows, group, captions=True) for group in opposed[:_NUM_EXAMPLES]],
                [group[:4] for group in opposed[:_NUM_SHOWN]],
            )
        )
    torn = [g for g in groups if TRAIN in (s := {rows[n]["split"] for n in g}) and len(s) > 1]
    num_seen = sum(rows[n]["split"] in (VALIDATION, HELD_OUT) for group in torn for n in group)
    if torn:
        found.append(
            Finding(
                "warning",
                "copies across splits",
                f"{counted(num_seen, 'held-out picture')} nearly the same as a training picture",
                "figures on them flatter the model",
                "Remove them, or give both the same split in metadata.jsonl",
                [_names(rows, group) for group in torn[:_NUM_EXAMPLES]],
                [group[:4] for group in torn[:_NUM_SHOWN]],
            )
        )
    return found


def _names(rows: Sequence[Row], group: Sequence[int], captions: bool = False) -> str:
    shown = [
        rows[n]["file_name"]
        + (f' "{texts_of(rows[n])[0]}"' if captions and texts_of(rows[n]) else "")
        for n in group
    ]
    return listed(shown, 4)


def _contradict(rows: Sequence[Row], group: Sequence[int]) -> bool:
    """Whether two pictures of the group have captions, and none in common."""
    said = [{normalised_words(text) for text in texts_of(rows[n])} for n in group]
    distinct = [set(each) for each in dict.fromkeys(map(frozenset, said)) if each]
    return any(
        not one & other for number, one in enumerate(distinct) for other in distinct[:number]
    )
