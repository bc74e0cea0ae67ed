"""The names of the spaces that a map can be made in."""

from imagespace.errors import UserError

SPACES = ("pixel", "feature")


def check_space(name: str) -> None:
    """UserError: there is no such space."""
    if name not in SPACES:
        raise UserError(f"space {name!r}", "there is no such space", f"Use {' or '.join(SPACES)}")
