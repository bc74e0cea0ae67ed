"""What an experiment finds: a number, its uncertainty, a verdict, a figure, a paragraph."""

from dataclasses import dataclass, field
from typing import Any, Literal

from matplotlib.figure import Figure

Verdict = Literal["holds", "holds partly", "does not hold"]


@dataclass(frozen=True)
class Finding:
    """The outcome of one experiment.

    `value` with `uncertainty` (one standard error unless the summary says otherwise; None where
    the number is exact) is the headline; `numbers` has everything that was measured, ready for
    JSON. `summary` is one paragraph in plain words that stands without the figure.
    """

    verdict: Verdict
    quantity: str
    value: float
    uncertainty: float | None
    unit: str
    summary: str
    figure: Figure
    numbers: dict[str, Any] = field(default_factory=dict)
