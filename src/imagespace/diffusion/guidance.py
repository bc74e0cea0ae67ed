"""Guidance wraps denoisers and is a denoiser: samplers never know about it."""

from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser


class ClassifierFreeGuidance(Denoiser):
    """x0_hat = D_uncond + w (D_cond - D_uncond) inside an interval of time (arXiv 2207.12598).

    w = 1 is off. Outside `interval` (low, high) the conditional answer stands alone: guidance at
    the highest noise collapses variety and at the lowest only costs time (arXiv 2404.07724). A
    negative prompt is simply the condition of `unconditional`.
    """

    def __init__(
        self,
        conditional: Denoiser,
        unconditional: Denoiser,
        weight: float,
        interval: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self.schedule = conditional.schedule
        self.conditional, self.unconditional = conditional, unconditional
        self.weight, self.interval = weight, interval

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        x0_cond = self.conditional(x_t, t)
        low, high = self.interval
        if self.weight == 1 or not low <= float(t) <= high:
            return x0_cond
        return x0_cond + (self.weight - 1) * (x0_cond - self.unconditional(x_t, t))
