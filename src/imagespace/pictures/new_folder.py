"""A folder that appears whole or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imagespace.errors import UserError


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yields a hidden folder to fill, which becomes `out` if the block ends well.

    UserError: `out` is in use, its parent cannot be written, or the disk is full.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(
            str(out), "a build never overwrites a folder in use", "Name a new folder or empty it."
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}-partial-", dir=out.parent))
    except OSError as error:
        raise UserError(
            str(out.parent),
            f"the folder cannot be written ({error.strerror})",
            "Name an --out in a folder of yours.",
        ) from error
    try:
        yield partial
        partial.chmod(0o755)  # mkdtemp makes it private
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except OSError as error:
        raise UserError(
            str(out), f"writing failed ({error.strerror})", "Free some disk space and try again."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
