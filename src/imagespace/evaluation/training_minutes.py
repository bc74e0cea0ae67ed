"""How long a run had trained when it had seen so many pictures."""

import json
from pathlib import Path

METRICS_FILE = "metrics.jsonl"


def training_minutes(run: str | Path) -> dict[int, float]:
    """{pictures seen: minutes of training} at every step that a run folder has logged.

    The clock is the run's own: its evaluations count, breaks between two processes do not. {} where
    there is no such file; lines that say neither are passed over.
    """
    try:
        lines = (Path(run) / METRICS_FILE).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return {}
    found = {}
    for line in lines:
        try:
            entry = json.loads(line)
            found[int(entry["num_images"])] = float(entry["elapsed_s"]) / 60
        except (ValueError, KeyError, TypeError):
            continue
    return found
