"""Which arithmetic this machine is fast at, found by timing it at the start."""

import importlib.util
import shutil
import sysconfig
import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import torch

CPU = torch.device("cpu")


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


def fastest_dtype(device: torch.device = CPU) -> torch.dtype:
    """bfloat16 where its matrix product is clearly faster than float32's, else float32.

    Weights stay float32 either way; only products run in the answer (autocast). A graphics card is
    asked, a processor is timed.
    """
    if device.type == "cuda":
        has_bfloat16 = torch.cuda.get_device_capability(device) >= (8, 0)
        return torch.bfloat16 if has_bfloat16 else torch.float32
    half = matrix_product_rate(torch.bfloat16)
    full = matrix_product_rate(torch.float32)
    return torch.bfloat16 if half > 1.3 * full else torch.float32


def products_in(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """Products inside run in bfloat16 where that is `dtype` (autocast); all else stays float32."""
    return torch.autocast(device.type, dtype) if dtype == torch.bfloat16 else nullcontext()


@contextmanager
def arithmetic(dtype: torch.dtype, device: torch.device = CPU) -> Iterator[None]:
    """`products_in`, without autocast's warnings of mixed types, which are meant."""
    with products_in(dtype, device), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Mismatch dtype")
        yield


def has_compiler(device: torch.device = CPU) -> bool:
    """Whether torch.compile can build what it needs here: C++, or Triton's kernels and their C.

    Both include Python's headers, which Debian and Ubuntu install apart (python3-dev).
    """
    if not _has_python_headers():
        return False
    if device.type == "cuda":
        has_triton = importlib.util.find_spec("triton") is not None
        has_c = any(shutil.which(name) for name in ("gcc", "clang", "cc"))
        return has_triton and has_c and torch.cuda.get_device_capability(device) >= (7, 0)
    return any(shutil.which(name) for name in ("g++", "clang++", "c++"))


def _has_python_headers() -> bool:
    """Whether Python.h is where torch looks for it, which on a Mac may be a framework's folder."""
    framework = Path(sysconfig.get_path("stdlib")).parent.parent / "Headers"
    folders = (Path(sysconfig.get_path("include")), framework)
    return any((folder / "Python.h").is_file() for folder in folders)
