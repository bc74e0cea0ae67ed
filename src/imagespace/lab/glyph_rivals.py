"""A small diffusion model and a GAN on the same glyphs at 32 px, for the same minutes.

The diffusion model's pictures are a fixed number; the GAN, whose step costs less, sees as many more
as its measured speed makes fit into the same time.
"""

import time
from dataclasses import dataclass
from functools import partial

import torch.nn.functional as F
from torch import Tensor

from imagespace.checkpoints import ModelConfig, SamplingConfig
from imagespace.diffusion.objective import ObjectiveConfig
from imagespace.lab.gan import Gan, GanConfig, picture_networks
from imagespace.lab.laboratory import Laboratory
from imagespace.lab.precision_recall import precision_and_recall
from imagespace.networks.transformer import TransformerConfig
from imagespace.pictures.split import TRAIN
from imagespace.pipeline import to_pixels
from imagespace.training.config import RunConfig, TrainingConfig

SIZE_PX = 32
NUM_SEEN = 60_000  # pictures, by the diffusion model
NUM_COMPARED = 1000
GAN_TRIAL = 5_000  # pictures, to measure the GAN's speed


@dataclass(frozen=True)
class GlyphRivals:
    """(precision, recall) against real glyphs, and what each training took."""

    diffusion: tuple[float, float]
    gan: tuple[float, float]
    real: tuple[float, float]
    num_parameters: int
    gan_parameters: int
    gan_pictures: int
    diffusion_pictures: int
    diffusion_seconds: float
    gan_seconds: float


def compare_on_glyphs(laboratory: Laboratory) -> GlyphRivals:
    """Trains both on training glyphs; compares their draws with others of them."""
    rows = laboratory.rows(TRAIN, 10**6)
    pictures = F.adaptive_avg_pool2d(laboratory.real(rows), SIZE_PX)
    learnt, real, others = pictures.split(
        [len(pictures) - 2 * NUM_COMPARED, NUM_COMPARED, NUM_COMPARED]
    )
    network = TransformerConfig(
        image_size_px=SIZE_PX, patch_size_px=4, width=128, depth=4, num_heads=2, max_text_tokens=0
    )
    config = RunConfig(
        recipe="lab",
        model=ModelConfig(
            name="lab",
            network=network,
            objective=ObjectiveConfig(logit_mean=0.0),
            sampling=SamplingConfig(sampler="ddpm", num_steps=28, guidance=1.0),
        ),
        training=TrainingConfig(
            seed=laboratory.seed, budget_images=NUM_SEEN, evaluations=1, warmup_steps=50
        ),
    )
    started = time.perf_counter()
    model = laboratory.train_on(learnt, config)
    diffusion_seconds = time.perf_counter() - started
    gan_config = GanConfig(width=288, num_latents=64, learning_rate=2e-4, gradient_penalty=1.0)
    build = partial(picture_networks, shape=(1, SIZE_PX, SIZE_PX))
    started = time.perf_counter()
    Gan(gan_config, build, laboratory.seed).train(learnt, GAN_TRIAL)
    per_picture = (time.perf_counter() - started) / GAN_TRIAL
    gan_pictures = round(diffusion_seconds / per_picture)
    gan = Gan(gan_config, build, laboratory.seed)
    started = time.perf_counter()
    gan.train(learnt, gan_pictures)
    gan_seconds = time.perf_counter() - started
    drawn = model.sample(NUM_COMPARED, laboratory.seed)
    forged = gan.sample(NUM_COMPARED, laboratory.random("glyph_rivals"))
    reference = _features(laboratory, real)
    return GlyphRivals(
        diffusion=precision_and_recall(reference, _features(laboratory, drawn)),
        gan=precision_and_recall(reference, _features(laboratory, forged)),
        real=precision_and_recall(reference, _features(laboratory, others)),
        num_parameters=sum(p.numel() for p in model.network.parameters()),
        gan_parameters=gan.num_parameters,
        gan_pictures=gan_pictures,
        diffusion_pictures=NUM_SEEN,
        diffusion_seconds=diffusion_seconds,
        gan_seconds=gan_seconds,
    )


def _features(laboratory: Laboratory, x: Tensor) -> Tensor:
    """The judge's quadrant features [N, D] of pictures [N, 1, 32, 32]."""
    return laboratory.judge.features(to_pixels(x))
