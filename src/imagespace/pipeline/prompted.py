"""A model under one prompt, as a denoiser of batches of any size."""

from collections.abc import Callable

from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser
from imagespace.diffusion.schedule import Schedule


class PromptedDenoiser(Denoiser):
    """x0_hat for x_t [B, ...] of any B, where `of_size(B)` answers for batches of one size alone.

    A network's condition has one row for each picture of a batch: this holds one prompt for all.
    """

    def __init__(self, schedule: Schedule, of_size: Callable[[int], Denoiser]) -> None:
        self.schedule, self._of_size = schedule, of_size
        self._by_size: dict[int, Denoiser] = {}

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        size = len(x_t)
        if size not in self._by_size:
            self._by_size[size] = self._of_size(size)
        return self._by_size[size](x_t, t)
