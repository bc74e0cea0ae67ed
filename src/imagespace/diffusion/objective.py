"""The training objective: which times are asked, and how an error is weighed.

Loss = E over t, eps of w(t) |x0_hat - x_0|^2 with the noise level drawn from a stated
distribution. The distribution and the weight are separate, explicit choices.
"""

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from imagespace.diffusion.denoiser import (
    Prediction,
    predicted_x0,
    prediction_target,
)
from imagespace.diffusion.schedule import SCHEDULES, Schedule, ScheduleName


class ObjectiveConfig(BaseModel):
    """Schedule, prediction, time distribution and loss space of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schedule: ScheduleName = "rectified_flow"
    prediction: Prediction = "x0"
    # The space in which the squared error is taken; "velocity" of an x0-prediction is JiT's loss.
    loss_space: Prediction = "velocity"
    time_distribution: Literal["uniform", "logit_normal"] = "logit_normal"
    # Of logit(t): above zero leans towards noise. Larger pictures need more noise to hide the
    # same content (arXiv 2301.11093), so the mean rises with the size.
    logit_mean: float = 0.4
    logit_std: float = Field(1.0, gt=0)
    # 1 / t^2 of an x0-prediction seen as velocity explodes at t = 0: times below count as this.
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
    return torch.sigmoid(config.logit_mean + config.logit_std * normal).float()


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
    if config.loss_space == config.prediction:
        target = prediction_target(x_0, eps, t, schedule, config.prediction)
        return (output - target).square().flatten(1).mean(dim=1)
    x0_hat = predicted_x0(output, x_t, t, schedule, config.prediction)
    error = (x0_hat - x_0).square().flatten(1).mean(dim=1)
    return error * x0_error_weight(
        t.clamp(min=config.smallest_weighted_time), schedule, config.loss_space
    )


def x0_error_weight(t: Tensor, schedule: Schedule, loss_space: Prediction) -> Tensor:
    """w(t) that turns a squared x0 error into the squared error of another quantity at fixed x_t.

    With eps_hat - eps = -(alpha / sigma)(x0_hat - x_0): eps (alpha/sigma)^2, v
    ((alpha^2 + sigma^2)/sigma)^2, velocity (alpha' - sigma' alpha / sigma)^2 = 1/t^2 on the
    rectified flow.
    """
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    if loss_space == "x0":
        return torch.ones_like(t)
    if loss_space == "eps":
        return (alpha / sigma).square()
    if loss_space == "v":
        return ((alpha.square() + sigma.square()) / sigma).square()
    alpha_rate, sigma_rate = schedule.rates(t)
    return (alpha_rate - sigma_rate * alpha / sigma).square()
