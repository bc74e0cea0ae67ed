"""Arrays that are computed once and kept in a file."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def kept(path: Path, compute: Callable[[], NDArray[Any]], anew: bool = False) -> NDArray[Any]:
    """The array in a .npy file; computed and written if it is absent, cannot be read, or `anew`.

    An interruption leaves the old file, the new one or none, never a part; where the file cannot be
    written, the array is returned all the same.
    """
    stored = None if anew else _read(path)
    if stored is None:
        stored = compute()
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        # What cannot be kept is still of use now.
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with partial.open("wb") as file:
                    np.save(file, stored)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
    return stored


def _read(path: Path) -> NDArray[Any] | None:
    try:
        stored: NDArray[Any] = np.load(path)
    except (OSError, ValueError, EOFError):
        return None
    return stored
