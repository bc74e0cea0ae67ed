"""The record batches of an Arrow file, in either of its two forms, mapped and not read."""

import os
from functools import lru_cache
from typing import Any


def record_batches(path: str) -> list[Any]:
    """Errors: ValueError (pyarrow's ArrowInvalid is one) if it is no Arrow file; OSError."""
    status = os.stat(path)
    return _record_batches(path, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _record_batches(path: str, changed_ns: int) -> list[Any]:
    import pyarrow

    mapped = pyarrow.memory_map(path)
    try:
        return list(pyarrow.ipc.open_stream(mapped))
    except pyarrow.ArrowInvalid:
        file = pyarrow.ipc.open_file(mapped)
        return [file.get_batch(number) for number in range(file.num_record_batches)]
