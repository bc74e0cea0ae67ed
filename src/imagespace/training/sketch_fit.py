"""Fits the captions' sketches before the first step: least squares, E[x_0 | text] at few pixels."""

import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from imagespace.networks.sketch import Sketch, pooled_text
from imagespace.randomness import generator
from imagespace.training.config import TrainingConfig

BATCH_SIZE = 256
# The most steps, passes over the set, and share of a budget in minutes that a fit takes.
MOST_STEPS, MOST_PASSES, MOST_OF_BUDGET = 5000, 150, 0.05
LEARNING_RATE, WEIGHT_DECAY, WARMUP_STEPS = 1e-3, 0.05, 100
# Unseen concepts are guessed better with it (docs/experiments.md).
DROPOUT = 0.1

Batch = Callable[[NDArray[np.int64], torch.Generator], tuple[Tensor, Tensor]]


def fit_sketch(
    sketch: Sketch, rows: NDArray[np.int64], batch: Batch, training: TrainingConfig
) -> None:
    """Makes |sketch(text) - x_0|^2 small at the sketch's resolution, over the pictures of `rows`.

    `batch(rows, random)` gives samples [B, C, H, W] and text states [B, L, D]. Draws derive from
    the run's seed; the learning rate ends with whichever limit is reached first.
    """
    num_steps = min(MOST_STEPS, -(-MOST_PASSES * len(rows) // BATCH_SIZE))
    if training.budget_images is not None:
        num_steps = min(num_steps, -(-training.budget_images // BATCH_SIZE))
    limit_s = 60 * MOST_OF_BUDGET * (training.budget_minutes or float("inf"))
    device = sketch.picture.weight.device
    sketch.requires_grad_(True)
    optimizer = torch.optim.AdamW(sketch.parameters(), weight_decay=WEIGHT_DECAY, foreach=True)
    started, step, fraction = time.monotonic(), 0, 0.0
    while fraction < 1:
        random = generator(training.seed, "sketch", step)
        chosen = rows[torch.randint(len(rows), (BATCH_SIZE,), generator=random).numpy()]
        x_0, text = (part.to(device) for part in batch(chosen, random))
        small = F.avg_pool2d(x_0, x_0.shape[-1] // sketch.shape[-1])
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(generator(training.seed, "sketch/dropout", step).initial_seed())
            answer = sketch(pooled_text(text), DROPOUT)
        loss = (answer - small).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        step += 1
        fraction = max(step / num_steps, (time.monotonic() - started) / limit_s)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, step / WARMUP_STEPS) * max(0.0, 1 - fraction)
        optimizer.step()
        optimizer.zero_grad()
    sketch.requires_grad_(False)
