"""imagespace: train a text-to-image diffusion model on your own pictures, and watch it walk."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagespace.diffusion.samplers import Step
    from imagespace.errors import UserError
    from imagespace.pipeline import Model, Pictures, load

__version__ = "0.1.0"
__all__ = ["Model", "Pictures", "Step", "UserError", "__version__", "load"]

_HOME = {
    "Model": "imagespace.pipeline",
    "Pictures": "imagespace.pipeline",
    "Step": "imagespace.diffusion.samplers",
    "UserError": "imagespace.errors",
    "load": "imagespace.pipeline",
}


def __getattr__(name: str) -> Any:
    # Torch takes seconds to import: it waits until something is drawn.
    if name not in _HOME:
        raise AttributeError(f"module 'imagespace' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
