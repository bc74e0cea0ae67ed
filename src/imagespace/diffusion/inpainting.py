"""Inpainting wraps a denoiser: where the picture is known, the way back is known."""

from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser


class Inpainting(Denoiser):
    """x0_hat = mask D(x_t, t) + (1 - mask) picture: 1 in the mask is drawn, 0 is kept.

    The kept pixels then follow their own straight way from the walk's noise to the picture, at
    each time as noisy as the rest, and any sampler ends exactly on them (the known-region step of
    RePaint, arXiv 2201.09865, without its resampling). `picture` and `mask` broadcast over x_t.
    """

    def __init__(self, denoiser: Denoiser, picture: Tensor, mask: Tensor) -> None:
        self.schedule = denoiser.schedule
        self.denoiser, self.picture, self.mask = denoiser, picture, mask

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        return self.mask * self.denoiser(x_t, t) + (1 - self.mask) * self.picture
