"""Measure a model's pictures: do they show what was asked for, and are they its own?"""


def wilson_interval(num_hits: float, num_trials: float) -> tuple[float, float]:
    """The 95 % interval of a rate measured as hits among independent trials (Wilson 1927).

    Of weighted trials, as many as equally weighted ones would be as sure.
    """
    z = 1.959964
    rate = num_hits / num_trials
    scale = 1 + z**2 / num_trials
    centre = rate + z**2 / (2 * num_trials)
    spread = z * (rate * (1 - rate) / num_trials + z**2 / (4 * num_trials**2)) ** 0.5
    return (max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale))
