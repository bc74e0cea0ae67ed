"""Arrays that are computed once and kept in a file."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def kept(path: Path, compute: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """The array in a .npy file; computed and written there if it is absent or cannot be read.

    An interruption leaves the old file, the new one or none, never a part; where the file cannot be
    written, the array is returned all the same.
    """
    try:
        stored: NDArray[Any] = np.load(path)
    except (OSError, ValueError, EOFError):
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
