"""How near each peer ends, and how soon ours are as near: read off judged samples.

A record is one array of samples: whose (`peer`, `setting`, `seed`, `run`), how drawn (`drawn`),
after how many `minutes` of which `budget_minutes`, and its `kernel_distance` in each extractor's
features, {"value", "error"}.
"""

import math
from typing import Any

OURS = "imagespace"
ALL = "all"
STANDARD_ERRORS = 1.96  # of a difference, for 95 %

Record = dict[str, Any]


def way_of(record: Record) -> str:
    """What was trained and how it was drawn: runs of one way differ in their minutes alone."""
    return f"{record['setting']}, {record['drawn']}, seed {record['seed']}"


def ends(records: list[Record]) -> list[Record]:
    """For each peer: how near its finished runs end, and after how many minutes ours are as near.

    On each extractor the end is the least distance of all samples that were drawn at the end of
    its runs of the longest budget. The minutes are those of `reached`, for each of our ways: by
    each extractor alone, and by all of them at once.
    """
    ours: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda r: float(r["minutes"])):
        if record["peer"] == OURS:
            ours.setdefault(way_of(record), []).append(record)
    found = []
    for peer in sorted({r["peer"] for r in records} - {OURS}):
        own = [record for record in records if record["peer"] == peer]
        budget = max(record["budget_minutes"] for record in own)
        last = [r for r in own if r["budget_minutes"] == budget and is_last(r, own)]
        nearest: dict[str, Record] = {}
        for name in last[0]["kernel_distance"]:
            best = min(last, key=lambda r: float(r["kernel_distance"][name]["value"]))
            of = {"run": best["run"], "drawn": best["drawn"]}
            nearest[name] = best["kernel_distance"][name] | of
        minutes = {
            way: {name: reached(runs, {name: end}) for name, end in nearest.items()}
            | {ALL: reached(runs, nearest)}
            for way, runs in ours.items()
        }
        found.append({"peer": peer, "minutes": budget, "nearest": nearest, "ours": minutes})
    return found


def is_last(record: Record, records: list[Record]) -> bool:
    """Whether no samples of the record's run are of a later time."""
    same = (r["minutes"] for r in records if r["run"] == record["run"])
    return bool(record["minutes"] == max(same))


def reached(ours: list[Record], nearest: dict[str, Record]) -> float | None:
    """Minutes of the shortest run that is as near as `nearest` on each of its extractors, or None.

    As near: its distance is no larger. A run counts only if no longer one is farther by more than
    the error of the difference, so that one lucky run is no verdict, nor one unlucky run.
    """
    minutes = None
    for record in reversed(ours):
        pairs = [(record["kernel_distance"][name], end) for name, end in nearest.items()]
        if any(is_farther(distance, end) for distance, end in pairs):
            break
        if all(distance["value"] <= end["value"] for distance, end in pairs):
            minutes = float(record["minutes"])
    return minutes


def is_farther(distance: Record, end: Record) -> bool:
    """Whether a distance exceeds another by more than the difference's 95 % error."""
    joint = math.hypot(distance["error"], end["error"])
    return bool(distance["value"] - end["value"] > STANDARD_ERRORS * joint)
