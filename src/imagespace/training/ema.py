"""The exponential moving average whose length grows with the run (EDM2, arXiv 2312.02696)."""

import torch
from torch import nn


class PowerEMA:
    """Weights averaged as beta_k = (1 - 1/k)^(gamma + 1), so that step k counts as k^gamma.

    The average always spans the same fraction of the run so far; it needs no warm-up.
    """

    def __init__(self, network: nn.Module, gamma: float) -> None:
        self.gamma = gamma
        self.weights = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Takes in the weights after `step` steps, counted from 1."""
        beta = (1 - 1 / step) ** (self.gamma + 1)
        current = network.state_dict()
        torch._foreach_lerp_(
            list(self.weights.values()), [current[name] for name in self.weights], 1 - beta
        )
