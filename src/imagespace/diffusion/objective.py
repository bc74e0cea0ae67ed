"""The training objective: which times are asked, and how an error is weighed.

Loss = E over t, eps of w(t) |x0_hat - x_0|^2 with the noise level drawn from a stated
distribution. The distribution and the weight are separate, explicit choices.
"""

from typing import Literal

import torch
from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from torch import Tensor

from imagespace.diffusion.denoiser import (
    Prediction,
    predicted_x0,
    prediction_target,
)
from imagespace.diffusion.schedule import SCHEDULES, Schedule, ScheduleName

TimeDistribution = Literal["uniform", "logit_normal", "edm"]
LossWeight = Literal["x0", "eps", "v", "velocity", "min_snr", "edm"]


class ObjectiveConfig(BaseModel):
    """Schedule, prediction, time distribution and loss weight of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schedule: ScheduleName = "rectified_flow"
    prediction: Prediction = "x0"
    # The space in which the squared error is taken ("velocity" of an x0-prediction is JiT's loss),
    # or a named weight of the x0 error. The first model files call it loss_space.
    loss_weight: LossWeight = Field(
        "velocity", validation_alias=AliasChoices("loss_weight", "loss_space")
    )
    min_snr_gamma: float = Field(5.0, gt=0)  # arXiv 2303.09556
    time_distribution: TimeDistribution = "logit_normal"
    # Of the logit of the noise share (t itself on the rectified flow): above zero leans towards
    # noise. Larger pictures need more noise to hide the same content (arXiv 2301.11093), so the
    # mean rises with the size.
    logit_mean: float = 0.4
    logit_std: float = Field(1.0, gt=0)
    # "edm": ln(sigma / alpha) is normal (arXiv 2206.00364, table 1).
    log_sigma_mean: float = -1.2
    log_sigma_std: float = Field(1.2, gt=0)
    sigma_data: float = Field(0.5, gt=0)
    # 1 / t^2 of an x0-prediction seen as velocity explodes at t = 0: smaller shares of noise count
    # as this one.
    smallest_weighted_time: float = Field(0.05, gt=0, lt=1)

    def build_schedule(self) -> Schedule:
        return SCHEDULES[self.schedule]()


def sample_times(config: ObjectiveConfig, batch_size: int, random: torch.Generator) -> Tensor:
    """Times [B] in (0, 1), stratified: one draw in each of B equal slices of the distribution."""
    uniform = torch.rand(batch_size, generator=random, dtype=torch.float64)
    uniform = (torch.arange(batch_size) + uniform) / batch_size
    uniform = uniform[torch.randperm(batch_size, generator=random)].clamp(1e-6, 1 - 1e-6)
    if config.time_distribution == "uniform":
        return uniform.float()
    normal = torch.special.ndtri(uniform)
    if config.time_distribution == "logit_normal":
        share = torch.sigmoid(config.logit_mean + config.logit_std * normal)
        return config.build_schedule().time_of_share(share).float()
    ratio = (config.log_sigma_mean + config.log_sigma_std * normal).exp()
    return config.build_schedule().time_at(ratio).clamp(max=1).float()


def squared_error(
    output: Tensor,
    x_0: Tensor,
    x_t: Tensor,
    eps: Tensor,
    t: Tensor,
    config: ObjectiveConfig,
    schedule: Schedule,
) -> Tensor:
    """Mean squared error per picture [B] of a network's output, in the configured loss space."""
    if config.loss_weight == config.prediction:
        target = prediction_target(x_0, eps, t, schedule, config.prediction)
        return (output - target).square().flatten(1).mean(dim=1)
    x0_hat = predicted_x0(output, x_t, t, schedule, config.prediction)
    error = (x0_hat - x_0).square().flatten(1).mean(dim=1)
    smallest = schedule.time_of_share(torch.tensor(config.smallest_weighted_time)).item()
    return error * x0_error_weight(t.clamp(min=smallest), config, schedule)


def x0_error_weight(t: Tensor, config: ObjectiveConfig, schedule: Schedule) -> Tensor:
    """w(t) of a squared x0 error [B].

    As the squared error of another quantity at fixed x_t, with eps_hat - eps =
    -(alpha / sigma)(x0_hat - x_0): eps (alpha/sigma)^2, v ((alpha^2 + sigma^2)/sigma)^2, velocity
    (alpha' - sigma' alpha / sigma)^2 = 1/t^2 on the rectified flow. By name, with
    r = sigma / alpha: min_snr min(1/r^2, gamma); edm (r^2 + sigma_data^2) / (r sigma_data)^2.
    """
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    match config.loss_weight:
        case "x0":
            return torch.ones_like(t)
        case "eps":
            return (alpha / sigma).square()
        case "v":
            return ((alpha.square() + sigma.square()) / sigma).square()
        case "velocity":
            alpha_rate, sigma_rate = schedule.rates(t)
            return (alpha_rate - sigma_rate * alpha / sigma).square()
        case "min_snr":
            return (alpha / sigma).square().clamp(max=config.min_snr_gamma)
        case "edm":
            # 1 / sigma_data^2 + 1 / r^2, finite at alpha = 0.
            return config.sigma_data**-2 + (alpha / sigma).square()
