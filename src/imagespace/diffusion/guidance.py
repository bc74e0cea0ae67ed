"""Guidance wraps denoisers and is a denoiser: samplers never know about it."""

from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser


class Guidance(Denoiser):
    """x0_hat = D_bad + w (D_good - D_bad): away from a worse answer, past the good one.

    The two denoisers say what kind of guidance it is:
    * classifier-free guidance (arXiv 2207.12598): the prompt's against the empty prompt's;
    * a negative prompt: the prompt's against the other prompt's;
    * autoguidance (arXiv 2406.02507): a model's against a weaker one's under the same prompt.

    w = 1 is off. Outside `interval` (low, high) of the noise share the good answer stands alone:
    guidance at the highest noise collapses variety and at the lowest only costs time (arXiv
    2404.07724).
    `rescale` in [0, 1] moves the spread of each answer's values back towards that of the good
    answer: the share phi of x0_hat std(D_good) / std(x0_hat) (arXiv 2305.08891, eq. 15 and 16,
    there applied to v).
    """

    def __init__(
        self,
        good: Denoiser,
        bad: Denoiser,
        weight: float,
        interval: tuple[float, float] = (0.0, 1.0),
        rescale: float = 0.0,
    ) -> None:
        self.schedule = good.schedule
        self.good, self.bad = good, bad
        self.weight, self.interval, self.rescale = weight, interval, rescale

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        good = self.good(x_t, t)
        low, high = self.interval
        if self.weight == 1 or not low <= float(self.schedule.noise_share(t)) <= high:
            return good
        guided = good + (self.weight - 1) * (good - self.bad(x_t, t))
        if self.rescale == 0 or good[0].numel() == 1:  # one value has no spread
            return guided
        others = tuple(range(1, x_t.dim()))
        ratio = good.std(dim=others, keepdim=True) / guided.std(dim=others, keepdim=True)
        return guided * (1 + self.rescale * (ratio - 1))
