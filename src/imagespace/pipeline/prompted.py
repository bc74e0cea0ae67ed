"""A model under one prompt, as a denoiser of batches of any size."""

from typing import TYPE_CHECKING

from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser
from imagespace.pipeline.settings import PictureSettings

if TYPE_CHECKING:
    from imagespace.pipeline.model import Model


class PromptedDenoiser(Denoiser):
    """x0_hat of `model` with the prompt and guidance of `settings`, for x_t [B, ...] of any B.

    `Model.guided` holds one prompt for each picture of one batch; this holds one for all batches.
    """

    def __init__(self, model: "Model", settings: PictureSettings) -> None:
        self.schedule = model.schedule
        self._model, self._settings = model, settings
        self._by_size: dict[int, Denoiser] = {}

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        size = len(x_t)
        if size not in self._by_size:
            self._by_size[size] = self._model.guided([self._settings] * size)
        return self._by_size[size](x_t, t)
