"""Where a network computes: the processor, or a graphics card that torch can use.

All else (noise, walks, pictures, decoding) stays on the processor, so that the same seed names the
same noise everywhere; what a network is shown is moved to it, and its answer back. Only the dropout
of the fit of sketches is drawn where they are fitted.
"""

import torch

from imagespace.errors import UserError


def unused_card(device: torch.device) -> str:
    """A remark where a graphics card stands idle while the processor computes; else ""."""
    if device.type == "cuda" or not torch.cuda.is_available():
        return ""
    return f"{torch.cuda.get_device_name()} is not used; --device cuda trains on it"


def device_named(name: str) -> torch.device:
    """The device "cpu", "cuda" or "cuda:1". UserError if there is none, or torch cannot use it."""
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"device {name}", "is none that networks run on", "Use cpu or cuda")
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter from a build for processors alone
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(
            f"device {name}",
            f"torch {torch.__version__} cannot use it ({reason})",
            "Use cpu, or install a build of torch for this graphics card",
        ) from None
    return device
