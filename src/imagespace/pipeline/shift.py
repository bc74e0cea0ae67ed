"""Turning a direction of the network's bottleneck: added at every step."""

from collections.abc import Sequence

import torch
from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser
from imagespace.diffusion.steering import interpolated
from imagespace.networks.bottleneck import shifted
from imagespace.networks.transformer import PatchTransformer


class BottleneckShift(Denoiser):
    """The answer of a denoiser while the bottleneck of its network is moved.

    `shifts` [T, P, W] belong to the falling noise `shares` [T]; between them they are interpolated.
    Guidance inside `denoiser` has both of its answers from the moved network.
    """

    def __init__(
        self, denoiser: Denoiser, network: PatchTransformer, shares: Sequence[float], shifts: Tensor
    ) -> None:
        self.schedule = denoiser.schedule
        self.denoiser, self.network = denoiser, network
        self.shares, self.shifts = torch.tensor(shares), shifts

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        share = float(self.schedule.noise_share(t.flatten()[0]))
        with shifted(self.network, interpolated(self.shares, self.shifts, share)):
            return self.denoiser(x_t, t)
