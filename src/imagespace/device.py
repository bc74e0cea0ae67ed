"""Where a network computes: the processor, or a graphics card that torch can use.

All else (noise, walks, pictures) stays on the processor, so that the same seed names the same noise
everywhere; what a network is shown is moved to it, and its answer back.
"""

import torch

from imagespace.errors import UserError


def device_named(name: str) -> torch.device:
    """The device "cpu", "cuda" or "cuda:1". UserError if there is no such one here."""
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"--device {name}", "is no device that networks run on", "Use cpu or cuda")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"--device {name}",
            f"torch {torch.__version__} finds {torch.cuda.device_count()} such devices here",
            "Use cpu, or install a build of torch for this graphics card",
        )
    return device
