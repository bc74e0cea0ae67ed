"""Where a view is written, checked before any work, and what is told of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagespace.cli.extras import check_extra
from imagespace.cli.output import check_out_file, free_name
from imagespace.errors import UserError

if TYPE_CHECKING:
    from imagespace.atlas.view import View


def target_of(
    out: Path | None,
    kind: str,
    overwrite: bool,
    numbers: Path | None,
    also: tuple[str, ...] = (),
) -> Path:
    """The file to write; its name and place are checked before any work.

    `also` are suffixes that this view can take besides those of figures and films.
    """
    check_extra("view", "atlas", "matplotlib", "scipy")
    from imagespace.atlas.view import check_view_name

    target = out or free_name(Path(), f"view {kind}", ".png")
    check_view_name(target, also)
    check_out_file(target, overwrite)
    if numbers is not None:
        if numbers.suffix.lower() != ".json":
            raise UserError(f"--numbers {numbers}", "numbers are JSON", "Name a .json file")
        check_out_file(numbers, overwrite)
    return target


def is_film(target: Path) -> bool:
    """Whether a file of this name holds a film."""
    from imagespace.pictures.film import FILM_SUFFIXES

    return target.suffix.lower() in FILM_SUFFIXES


def finish(view: "View", target: Path, numbers: Path | None) -> None:
    """Writes a view and tells its numbers."""
    view.save(target)
    tell(view.numbers, target, numbers)


def tell(found: Mapping[str, Any], target: Path, numbers: Path | None) -> None:
    """Prints the numbers of what was written to `target`, and writes them as JSON if asked."""
    if numbers is not None:
        numbers.write_text(json.dumps(dict(found), indent=1) + "\n", encoding="utf-8")
        print(numbers)
    for line in _lines(found):
        print(line)
    print(target)


def _lines(numbers: Mapping[str, Any], before: str = "") -> list[str]:
    """The numbers, one plain line each."""
    lines = []
    for key, value in numbers.items():
        name = f"{before}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            lines += _lines(value, f"{name}: ")
        elif isinstance(value, list):
            lines.append(f"{name}: {', '.join(_plain(one) for one in value)}")
        else:
            lines.append(f"{name}: {_plain(value)}")
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "none" if value is None else str(value)
