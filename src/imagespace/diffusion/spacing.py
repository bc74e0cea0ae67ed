"""Spacing: at which times the steps of a walk stand."""

from collections.abc import Callable
from typing import Literal

import torch

from imagespace.diffusion.schedule import Schedule

SpacingName = Literal["uniform", "quadratic", "karras", "trailing"]

# Karras et al. 2022 (arXiv 2206.00364), table 1.
KARRAS_RHO = 7.0
SMALLEST_RATIO, LARGEST_RATIO = 0.002, 80.0

TABLE_STEPS = 1000


def uniform(num_steps: int, schedule: Schedule) -> list[float]:
    """t = 1 - i / n."""
    return [1 - i / num_steps for i in range(num_steps + 1)]


def quadratic(num_steps: int, schedule: Schedule) -> list[float]:
    """t = (1 - i / n)^2: more steps near the clean picture (arXiv 2010.02502, appendix D.2)."""
    return [u * u for u in uniform(num_steps, schedule)]


def trailing(num_steps: int, schedule: Schedule) -> list[float]:
    """Uniform on the 1,000 steps of a DDPM table, the noisiest included (arXiv 2305.08891)."""
    return [round(TABLE_STEPS * u) / TABLE_STEPS for u in uniform(num_steps, schedule)]


def karras(
    num_steps: int, schedule: Schedule, smallest_ratio: float = SMALLEST_RATIO
) -> list[float]:
    """Noise-to-signal ratios evenly spaced in their 7th root (arXiv 2206.00364, eq. 5), then 0.

    ratio_i = (max^(1/7) + i / (n - 1) (min^(1/7) - max^(1/7)))^7, from 80 (or the schedule's
    largest) to the smallest. The walk starts at pure noise whatever the largest ratio is.
    """
    largest = min(LARGEST_RATIO, float(schedule.ratio(torch.tensor(1.0, dtype=torch.float64))))
    high, low = largest ** (1 / KARRAS_RHO), smallest_ratio ** (1 / KARRAS_RHO)
    shares = torch.linspace(0, 1, num_steps, dtype=torch.float64)
    ratios = (high + shares * (low - high)) ** KARRAS_RHO
    return [1.0, *schedule.time_at(ratios).tolist()[1:], 0.0]


SPACINGS: dict[SpacingName, Callable[[int, Schedule], list[float]]] = {
    "uniform": uniform,
    "quadratic": quadratic,
    "karras": karras,
    "trailing": trailing,
}


def step_times(
    num_steps: int, schedule: Schedule, spacing: SpacingName = "uniform", shift: float = 1.0
) -> list[float]:
    """Times from 1 to 0, num_steps + 1 of them, falling; shift > 1 spends more steps near noise.

    shift s maps each time t to s t / (1 + (s - 1) t) (arXiv 2403.03206, eq. 23); 1 leaves it.
    Errors: ValueError for num_steps < 1, or more steps than a spacing has times.
    """
    if num_steps < 1:
        raise ValueError(f"num_steps {num_steps}: a walk has at least one step")
    if spacing == "trailing" and num_steps > TABLE_STEPS:
        raise ValueError(f"num_steps {num_steps}: trailing spacing has {TABLE_STEPS} times")
    times = SPACINGS[spacing](num_steps, schedule)
    return [shift * t / (1 + (shift - 1) * t) for t in times]


def times_from(times: list[float], schedule: Schedule, strength: float) -> list[float]:
    """The part of a walk that begins at the noise share `strength` in (0, 1], from a picture."""
    start = float(schedule.time_of_share(torch.tensor(strength, dtype=torch.float64)))
    return [start, *[t for t in times if t < start]]
