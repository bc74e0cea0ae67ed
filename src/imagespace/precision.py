"""Which arithmetic this machine is fast at, found by timing it at the start."""

import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def matrix_product_rate(dtype: torch.dtype, size: int = 1024, seconds: float = 0.3) -> float:
    """FLOP/s of a size^3 matrix product in `dtype`: the best of as many as fit in `seconds`.

    The best, because whatever else runs on the machine can only slow a product down. A processor
    that emulates `dtype` is found out on a small product, which a large one would take minutes for.
    """
    best = 0.0
    for side in (128, size):
        left, right = torch.randn(side, side).to(dtype), torch.randn(side, side).to(dtype)
        left @ right  # the first call compiles its kernel
        deadline = time.perf_counter() + seconds
        fastest = float("inf")
        while (start := time.perf_counter()) < deadline:
            left @ right
            fastest = min(fastest, time.perf_counter() - start)
        best = 2 * side**3 / fastest
        if best < 5e9:
            break
    return best


def fastest_dtype() -> torch.dtype:
    """bfloat16 where its matrix product is clearly faster than float32's, else float32.

    Weights stay float32 either way; only products run in the answer (autocast).
    """
    half = matrix_product_rate(torch.bfloat16)
    full = matrix_product_rate(torch.float32)
    return torch.bfloat16 if half > 1.3 * full else torch.float32


@contextmanager
def arithmetic(dtype: torch.dtype) -> Iterator[None]:
    """Products inside run in bfloat16 where that is `dtype` (autocast); all else stays float32."""
    with (
        torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16),
        warnings.catch_warnings(),
    ):
        # Autocast warns about mixed types that are meant.
        warnings.filterwarnings("ignore", message="Mismatch dtype")
        yield


def has_compiler() -> bool:
    """Whether torch.compile can build its C++ here."""
    return any(shutil.which(name) for name in ("g++", "clang++", "c++"))
