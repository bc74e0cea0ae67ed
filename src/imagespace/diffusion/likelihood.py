"""Likelihood: how probable a picture is under the model, by the flow that carries it to noise.

Along a flow dz/du = f the density obeys d log p(z) / du = -div f (Chen et al. 2018, arXiv
1806.07366; for diffusion Song et al. 2021, arXiv 2011.13456, eq. 39). In z = x_t / alpha_t and
u = log(sigma_t / alpha_t) the probability flow of any schedule is dz/du = z - x0_hat, so that from
ratio r to a ratio R at which nothing but noise is left

    log p_r(z_r) = log N(z_R; 0, R^2 I) + d log(R / r) - integral tr(d x0_hat / d z) du
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser
from imagespace.diffusion.spacing import LARGEST_RATIO

# A density per unit of the value range [-1, 1] against a probability of one of 256 grey levels.
BITS_OF_A_GREY_LEVEL = -math.log2(2 / 255)


@dataclass(frozen=True)
class Likelihood:
    """log p of B points in nats [B], and its standard error [B] from the trace (0 if exact)."""

    log_probability: Tensor
    standard_error: Tensor
    num_dimensions: int

    def bits_per_dimension(self, offset: float = 0.0) -> tuple[Tensor, Tensor]:
        """(-log2 p / d + offset, its standard error) [B].

        With offset BITS_OF_A_GREY_LEVEL it is the code length of a picture of 256 levels.
        """
        scale = self.num_dimensions * math.log(2)
        return offset - self.log_probability / scale, self.standard_error / scale


def likelihood(
    denoiser: Denoiser,
    x: Tensor,
    start_ratio: float = 0.01,
    num_steps: int = 64,
    probes: Tensor | None = None,
) -> Likelihood:
    """log p_s(x) of points x [B, ...] that stand at the time s of noise-to-signal `start_ratio`.

    A point of data must be given the noise of that time first: at s = 0 the density of a finite
    set, or of pictures with constant pixels, is infinite. `probes` [K, B, ...] of independent
    values +-1 estimate the trace (Hutchinson 1990) and its standard error, which is NaN of one
    probe alone; without them it is exact, at one gradient per dimension. Classic Runge-Kutta of
    fourth order.
    """
    if probes is not None and (not len(probes) or probes.shape[1:] != x.shape):
        raise ValueError(f"probes {tuple(probes.shape)}: at least one is needed, shaped as x")
    alpha = denoiser.schedule.alpha(denoiser.schedule.time_at(x.new_tensor(start_ratio)))
    num_dimensions = x[0].numel()
    z = x / alpha
    integral = x.new_zeros(1 if probes is None else len(probes), len(x))
    first, last = math.log(start_ratio), math.log(LARGEST_RATIO)
    h = (last - first) / num_steps
    for number in range(num_steps):
        u = first + number * h
        slope_1, trace_1 = _slopes(denoiser, z, u, probes)
        slope_2, trace_2 = _slopes(denoiser, z + h / 2 * slope_1, u + h / 2, probes)
        slope_3, trace_3 = _slopes(denoiser, z + h / 2 * slope_2, u + h / 2, probes)
        slope_4, trace_4 = _slopes(denoiser, z + h * slope_3, u + h, probes)
        z = z + h / 6 * (slope_1 + 2 * slope_2 + 2 * slope_3 + slope_4)
        integral = integral + h / 6 * (trace_1 + 2 * trace_2 + 2 * trace_3 + trace_4)
    prior = -0.5 * (z / LARGEST_RATIO).square().flatten(1).sum(dim=1)
    prior = prior - num_dimensions * math.log(LARGEST_RATIO * math.sqrt(2 * math.pi))
    # The last term goes back from the density of z to that of x = alpha z.
    growth = num_dimensions * (last - first - math.log(float(alpha)))
    error = torch.zeros_like(prior)
    if probes is not None:
        several = len(probes) > 1
        error = integral.std(dim=0) / len(probes) ** 0.5 if several else error.fill_(math.nan)
    return Likelihood(prior + growth - integral.mean(dim=0), error, num_dimensions)


def _slopes(
    denoiser: Denoiser, z: Tensor, u: float, probes: Tensor | None
) -> tuple[Tensor, Tensor]:
    """(dz/du, estimates of the trace [K, B]) at one ratio."""
    t = denoiser.schedule.time_at(z.new_tensor(u).exp())
    # A caller's inference mode would forbid gradients, and its tensors too: hence the copy.
    with torch.inference_mode(False), torch.enable_grad():
        z = z.clone().detach().requires_grad_()
        x0_hat = denoiser(denoiser.schedule.alpha(t) * z, t)
        if probes is None:
            traces = _exact_trace(x0_hat, z)[None]
        else:
            estimates = []
            for number, probe in enumerate(probes):
                keep = number + 1 < len(probes)
                (product,) = torch.autograd.grad(x0_hat, z, probe, retain_graph=keep)
                estimates.append((product * probe).flatten(1).sum(dim=1))
            traces = torch.stack(estimates)
    return z.detach() - x0_hat.detach(), traces


def _exact_trace(x0_hat: Tensor, z: Tensor) -> Tensor:
    """tr(d x0_hat / d z) of each point [B]: one gradient per dimension."""
    flat = x0_hat.flatten(1)
    trace = z.new_zeros(len(z))
    for dimension in range(flat.shape[1]):
        (row,) = torch.autograd.grad(flat[:, dimension].sum(), z, retain_graph=True)
        trace = trace + row.flatten(1)[:, dimension]
    return trace


def random_signs(shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Independent values +-1, the probes of smallest variance (Hutchinson 1990)."""
    return torch.randint(0, 2, shape, generator=random).float() * 2 - 1
