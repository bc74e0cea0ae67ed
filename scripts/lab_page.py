"""Write docs/lab.md from the records of `imagespace lab run all --out docs/lab`.

Run: python scripts/lab_page.py
"""

import json
from pathlib import Path

from imagespace.lab.experiments import EXPERIMENTS
from imagespace.lab.report import findings_page

DOCS = Path(__file__).parent.parent / "docs"

INTRODUCTION = """# The lab

People say a great deal about diffusion. The lab takes what they say, one claim at a time, and tests
it on the same engine that draws the pictures: a number with its uncertainty, a verdict, a figure.

```bash
pip install -e ".[lab]"
imagespace lab list
imagespace lab run closest_cluster
imagespace lab run all --quick          # smaller samples
imagespace lab run all --model my-run --data my-pictures
```

Below is what the `glyphs` model that was shipped until 2026-11-30 showed ({machine}).
Each verdict follows from its numbers by a rule that is written in the experiment's file,
`src/imagespace/lab/NAME.py`. The rules and sizes were settled on small runs with another seed, some
of them after looking. Uncertainties are one standard error. A verdict is about this model and these
pictures: run the lab on yours.

"""


def main() -> None:
    stored = [DOCS / "lab" / f"{experiment.name}.json" for experiment in EXPERIMENTS]
    records = [json.loads(path.read_text(encoding="utf-8")) for path in stored]
    first = records[0]
    machine = (
        f"seed {first['seed']}, torch {first['torch']}, "
        f"{first['num_threads']} thread{'s' if first['num_threads'] > 1 else ''}, {first['date']}"
    )
    page = INTRODUCTION.format(machine=machine) + findings_page(records, "lab")
    (DOCS / "lab.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
