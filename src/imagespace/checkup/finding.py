"""One thing that the check found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning", "remark"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "remark")
"""The worst first: training is impossible, would suffer, or is as expected."""


@dataclass(frozen=True)
class Finding:
    """A value, the rule that it is held against, and the remedy.

    `kind` names the rule in a word; `examples` are lines of text, and `groups` numbers of pictures
    to be shown beside each other.
    """

    severity: Severity
    kind: str
    value: str
    rule: str
    remedy: str
    examples: list[str] = field(default_factory=list)
    groups: list[list[int]] = field(default_factory=list)

    @property
    def line(self) -> str:
        """All of it on one line."""
        return f"{self.value}: {self.rule}. {self.remedy}."


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Errors, then warnings, then remarks; in the given order among each."""
    return sorted(findings, key=lambda each: SEVERITIES.index(each.severity))


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first few of `names`, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def counted(number: int, noun: str, plural: str = "") -> str:
    """ "1 picture", "1,234 pictures"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def share(part: int, whole: int) -> str:
    """ "12 of 345 (3 %)"."""
    percent = 100 * part / whole
    return f"{part:,} of {whole:,} ({f'{percent:.0f}' if percent >= 1 or not part else '< 1'} %)"
