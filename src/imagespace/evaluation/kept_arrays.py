"""Arrays that are computed once and kept in a file."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def kept(path: Path, compute: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """The array in a .npy file; computed and written there if it is absent or cannot be read.

    An interruption leaves the old file, the new one or none, never a part.
    """
    try:
        stored: NDArray[Any] = np.load(path)
    except (OSError, ValueError, EOFError):
        stored = compute()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            with partial.open("wb") as file:
                np.save(file, stored)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    return stored
