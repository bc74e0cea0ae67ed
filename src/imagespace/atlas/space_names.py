"""What a map can be made in and of, told without the libraries that make it."""

from imagespace.errors import UserError

SPACES = ("pixel", "latent", "feature")
FEWEST_PICTURES = 50


def check_space(name: str) -> None:
    """UserError: there is no such space."""
    if name not in SPACES:
        raise UserError(
            f"space {name!r}", "there is no such space", f"Use one of {', '.join(SPACES)}"
        )
