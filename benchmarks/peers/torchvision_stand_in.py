"""Lets a package be imported that imports torchvision only to read image files.

denoising-diffusion-pytorch names `torchvision.transforms` and `utils` in its folder dataset and
its Trainer, smalldiffusion builds a transform of its example datasets while it is imported. Their
networks, losses and samplers use neither; this benchmark feeds tensors.
"""

import contextlib
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class Absent:
    """Can be made, so that an import succeeds; cannot be used."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        raise RuntimeError("this needs torchvision, which is not installed")


def _module(name: str, **members: Any) -> ModuleType:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, loader=None)
    module.__dict__.update(members)
    return module


@contextlib.contextmanager
def torchvision_or_stand_in() -> Iterator[None]:
    """Inside it `import torchvision` succeeds; afterwards the stand-in is gone again."""
    if find_spec("torchvision") is not None:
        yield
        return
    # Every name that is asked for is the same class.
    transforms = _module("torchvision.transforms", __getattr__=lambda name: Absent)
    utils = _module("torchvision.utils", __getattr__=lambda name: Absent)
    modules = {
        "torchvision": _module("torchvision", transforms=transforms, utils=utils),
        "torchvision.transforms": transforms,
        "torchvision.utils": utils,
    }
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
