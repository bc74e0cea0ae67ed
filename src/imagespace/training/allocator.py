"""glibc's allocator, told to keep what it has.

By default every large tensor is fresh pages from the kernel and is handed back when freed; a
training step then spends much of its time in page faults (benchmarks/training_rate.py).
"""

import ctypes

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # <malloc.h>


def keep_freed_memory() -> bool:
    """Serves large tensors from a heap that never shrinks; False where there is no glibc."""
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return all(
        mallopt(name, value) == 1
        for name, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 64 << 20))
    )
