"""Denoisers: anything that answers "where is the clean picture?" from any point and time.

Noise, velocity, score and direction all follow from that one answer, here and nowhere else.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

from torch import Tensor

from imagespace.diffusion.schedule import Schedule, per_picture

Prediction = Literal["x0", "eps", "v", "velocity"]

# Below these scales x0 or eps cannot be read off x_t, and a division would only amplify rounding.
SMALLEST_SCALE = 1e-4


def predicted_x0(
    output: Tensor, x_t: Tensor, t: Tensor, schedule: Schedule, prediction: Prediction
) -> Tensor:
    """The clean picture that a network's output means, for x_t [B, ...] and t [B] or scalar.

    With x_t = alpha x_0 + sigma eps, the output may be x_0 itself; eps; v = alpha eps - sigma x_0
    (arXiv 2202.00512); or the flow's velocity dx/dt = alpha' x_0 + sigma' eps.
    """
    t = per_picture(t, x_t)
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    if prediction == "x0":
        return output
    if prediction == "eps":
        return (x_t - sigma * output) / alpha.clamp(min=schedule.smallest_signal)
    if prediction == "v":
        return (alpha * x_t - sigma * output) / (alpha.square() + sigma.square())
    alpha_rate, sigma_rate = schedule.rates(t)
    # Solves [x_t; output] = [[alpha, sigma], [alpha', sigma']] [x_0; eps] for x_0.
    determinant = alpha * sigma_rate - sigma * alpha_rate
    return (sigma_rate * x_t - sigma * output) / determinant.clamp(min=SMALLEST_SCALE)


def prediction_target(
    x_0: Tensor, eps: Tensor, t: Tensor, schedule: Schedule, prediction: Prediction
) -> Tensor:
    """What a network with this prediction should answer; the inverse of `predicted_x0`."""
    t = per_picture(t, x_0)
    if prediction == "x0":
        return x_0
    if prediction == "eps":
        return eps
    if prediction == "v":
        return schedule.alpha(t) * eps - schedule.sigma(t) * x_0
    alpha_rate, sigma_rate = schedule.rates(t)
    return alpha_rate * x_0 + sigma_rate * eps


class Denoiser(ABC):
    """x0_hat(x_t, t) for x_t [B, C, H, W] (or any [B, ...]) and one time t (scalar tensor)."""

    schedule: Schedule

    @abstractmethod
    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        """The expected clean picture x0_hat, shaped as x_t."""

    def eps(self, x_t: Tensor, t: Tensor) -> Tensor:
        """eps_hat = (x_t - alpha_t x0_hat) / sigma_t."""
        return noise_from_x0(self(x_t, t), x_t, t, self.schedule)

    def velocity(self, x_t: Tensor, t: Tensor) -> Tensor:
        """dx/dt = alpha'_t x0_hat + sigma'_t eps_hat, the probability flow (arXiv 2011.13456)."""
        return velocity_from_x0(self(x_t, t), x_t, t, self.schedule)

    def score(self, x_t: Tensor, t: Tensor) -> Tensor:
        """grad log p_t(x_t) = -eps_hat / sigma_t (Tweedie)."""
        return -self.eps(x_t, t) / self.schedule.sigma(t).clamp(min=SMALLEST_SCALE)

    def direction(self, x_t: Tensor, t: Tensor) -> Tensor:
        """x0_hat - x_t: the way back to the good pictures."""
        return self(x_t, t) - x_t


def noise_from_x0(x0_hat: Tensor, x_t: Tensor, t: Tensor, schedule: Schedule) -> Tensor:
    """eps_hat = (x_t - alpha_t x0_hat) / sigma_t; zero scale is guarded."""
    t = per_picture(t, x_t)
    return (x_t - schedule.alpha(t) * x0_hat) / schedule.sigma(t).clamp(min=SMALLEST_SCALE)


def velocity_from_x0(x0_hat: Tensor, x_t: Tensor, t: Tensor, schedule: Schedule) -> Tensor:
    """dx/dt = alpha'_t x0_hat + sigma'_t eps_hat from an answer that is already known."""
    alpha_rate, sigma_rate = schedule.rates(per_picture(t, x_t))
    return alpha_rate * x0_hat + sigma_rate * noise_from_x0(x0_hat, x_t, t, schedule)


class NetworkDenoiser(Denoiser):
    """A network with a schedule and a prediction, under one condition.

    `network(x_t, t, condition)` takes t as [B] and answers a tensor shaped as x_t; `condition`
    [B, ...] is passed through untouched, and lies on the device where the network computes.
    """

    def __init__(
        self,
        network: Callable[[Tensor, Tensor, Tensor], Tensor],
        schedule: Schedule,
        prediction: Prediction,
        condition: Tensor,
    ) -> None:
        self.network = network
        self.schedule = schedule
        self.prediction: Prediction = prediction
        self.condition = condition

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        shown, time = self.schedule.network_input(x_t, t.expand(x_t.shape[0]))
        device = self.condition.device
        output = self.network(shown.to(device), time.to(device), self.condition).to(x_t)
        return predicted_x0(output, x_t, t, self.schedule, self.prediction)
