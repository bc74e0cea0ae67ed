"""What a command needs that only an extra installs: said before any work."""

from importlib.util import find_spec

from imagespace.errors import UserError


def check_extra(command: str, extra: str, *modules: str) -> None:
    """Errors: UserError unless the modules are installed. Nothing is imported."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise UserError(
            command, f"needs {missing[0]}", f'Install it: pip install "imagespace[{extra}]"'
        )
