"""How far a run has come, and the learning rate that ends with it."""

from imagespace.training.config import TrainingConfig

LONGEST_WARMUP = 0.05  # of the budget


def fraction_done(config: TrainingConfig, step: int, elapsed_s: float) -> float:
    """Share of the budget that is spent, 0 to 1: of the images, or of the minutes."""
    if config.budget_images is not None:
        return min(1.0, step * config.batch_size / config.budget_images)
    assert config.budget_minutes is not None
    return min(1.0, elapsed_s / (60 * config.budget_minutes))


def learning_rate_factor(config: TrainingConfig, step: int, fraction: float) -> float:
    """Linear warm-up, a plateau, then linear decay to zero at the end of the budget.

    A slow machine may take few steps in all: the warm-up ends with the first twentieth of the
    budget at the latest.
    """
    by_steps = (step + 1) / max(1, config.warmup_steps)
    warmup = min(1.0, max(by_steps, fraction / LONGEST_WARMUP))
    decay = min(1.0, (1 - fraction) / max(config.decay_fraction, 1e-9))
    return warmup * decay
