"""Held-out loss per noise band: the same pictures, times and noise at every evaluation."""

from dataclasses import dataclass

import torch
from torch import Tensor

from imagespace.checkpoints import ModelConfig
from imagespace.diffusion.objective import squared_error
from imagespace.networks.build import Network
from imagespace.precision import arithmetic
from imagespace.randomness import picture_noise

NOISE_BANDS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Noise shares of the bands (times, on the rectified flow); neighbours take different bands."""


@dataclass(frozen=True)
class ValidationSet:
    """Clean samples [N, ...] (pictures or points) and their conditions [N, ...]."""

    x_0: Tensor
    condition: Tensor

    @torch.inference_mode()
    def errors(
        self, network: Network, config: ModelConfig, seed: int, dtype: torch.dtype
    ) -> dict[str, Tensor]:
        """Squared errors of x0_hat, in the units of `x_0`, each picture's in its own band."""
        schedule = config.objective.build_schedule()
        in_pixels = config.objective.model_copy(update={"loss_weight": "x0"})
        share = torch.tensor(NOISE_BANDS).repeat(len(self.x_0) // len(NOISE_BANDS) + 1)
        share = share[: len(self.x_0)]
        t = schedule.time_of_share(share)
        device, errors = next(network.parameters()).device, []
        for rows in torch.arange(len(self.x_0)).split(128):
            x_0 = self.x_0[rows]
            eps = picture_noise(tuple(x_0.shape[1:]), seed, "validation", rows.tolist())
            x_t = schedule.add_noise(x_0, eps, t[rows])
            shown = (*schedule.network_input(x_t, t[rows]), self.condition[rows])
            with arithmetic(dtype, device):
                output = network(*(part.to(device) for part in shown))
            errors.append(
                squared_error(
                    output.float().to(x_0.device), x_0, x_t, eps, t[rows], in_pixels, schedule
                )
            )
        error = torch.cat(errors)
        # Fewer pictures than bands leave some bands empty.
        bands = NOISE_BANDS[: len(self.x_0)]
        return {f"t={band:g}": error[share == band] for band in bands}

    def loss(
        self, network: Network, config: ModelConfig, seed: int, dtype: torch.dtype
    ) -> dict[str, float]:
        """The mean of `errors` in each band."""
        errors = self.errors(network, config, seed, dtype)
        return {band: float(error.mean()) for band, error in errors.items()}
