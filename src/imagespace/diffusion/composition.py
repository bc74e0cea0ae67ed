"""Composition wraps denoisers and is one: what several prompts change, added with weights."""

from collections.abc import Sequence

from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser


class Composition(Denoiser):
    """x0_hat = D_none + sum_k w_k (D_k - D_none), the weighted sum of what each prompt changes.

    Composable diffusion (arXiv 2206.01714) in x0_hat instead of eps, which is the same at
    any one point: both are affine in each other. Weight 1 for each of several prompts asks for all
    of them at once, -1 takes one away, and weights 1 - s and s lead from one prompt to another.

    `weights` [K, B] has one for each of the K `parts` and each picture of a batch. Where a
    picture's weights sum to 1 the answer without a prompt cancels; if they do so throughout, `none`
    is not asked, and a weight of 1 alone gives that part's answer bit for bit.
    """

    def __init__(self, parts: Sequence[Denoiser], weights: Tensor, none: Denoiser) -> None:
        self.schedule = none.schedule
        self.parts, self.weights, self.none = list(parts), weights, none
        self.remainder = 1 - weights.sum(dim=0)
        self.needs_none = bool((self.remainder.abs() > 1e-6).any())

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        one_each = (-1, *[1] * (x_t.dim() - 1))
        x0_hat = sum(
            weight.to(x_t.dtype).view(one_each) * part(x_t, t)
            for weight, part in zip(self.weights, self.parts, strict=True)
        )
        assert isinstance(x0_hat, Tensor)
        if not self.needs_none:
            return x0_hat
        return x0_hat + self.remainder.to(x_t.dtype).view(one_each) * self.none(x_t, t)
