"""The recipe of an autoencoder, fitted to a folder of pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from imagespace.errors import UserError
from imagespace.networks.autoencoder import AutoencoderConfig
from imagespace.networks.discriminator import STRIDE_PX
from imagespace.pictures.decoding import FITS
from imagespace.pictures.inspection import readable_looks
from imagespace.pictures.layouts.recognise import find_pictures
from imagespace.recipes.folder import SIZES_PX, size_of
from imagespace.recipes.named import Budget
from imagespace.training.config import AutoencoderRun, ReconstructionConfig, TrainingConfig

DEFAULT_BUDGET: Budget = {"budget_minutes": 30.0}
LATENT_CHANNELS = range(1, 65)
_LARGEST_PX = 128  # without --size
_CROP_PX = 64


@dataclass(frozen=True)
class AutoencoderOptions:
    """What the user asked of an autoencoder; None is what suits the folder."""

    downsampling: int = 8
    latent_channels: int | None = None
    kl: float = 0.0
    adversarial: float = 0.0
    size: int | None = None
    fit: str = "pad"


def autoencoder_config(
    folder: Path, asked: AutoencoderOptions, budget: Budget, seed: int
) -> AutoencoderRun:
    """The autoencoder that was asked for, with the folder's channels and size.

    4 latent channels for grey pictures, 8 for colour. UserError: a downsampling, number of
    channels, weight, size or fit that is impossible, or a folder that cannot be read.
    """
    choices = get_args(AutoencoderConfig.model_fields["downsampling"].annotation)
    if asked.downsampling not in choices:
        raise UserError(
            f"--downsampling {asked.downsampling}",
            "there is no such downsampling",
            f"Use one of {', '.join(map(str, choices))}",
        )
    if asked.latent_channels is not None and asked.latent_channels not in LATENT_CHANNELS:
        raise UserError(
            f"--latent-channels {asked.latent_channels}",
            f"must be from {LATENT_CHANNELS[0]} to {LATENT_CHANNELS[-1]}",
            "Use 4 for grey pictures, 8 for colour",
        )
    if not 0 <= asked.kl <= 1:
        raise UserError(f"--kl {asked.kl:g}", "must be from 0 to 1", "Use 0, or about 1e-5")
    if not 0 <= asked.adversarial <= 10:
        raise UserError(
            f"--adversarial {asked.adversarial:g}", "must be from 0 to 10", "Use 0 for none"
        )
    if asked.fit not in FITS:
        raise UserError(
            f"--fit {asked.fit!r}", "there is no such fit", f"Use one of {', '.join(FITS)}"
        )
    looks = readable_looks(folder, find_pictures(folder).sources)
    num_channels = 3 if any(look.has_colour for look in looks) else 1
    size = asked.size
    if size is None:
        size = max(size_of(looks, _LARGEST_PX), SIZES_PX[1])
    if size < SIZES_PX[0]:
        raise UserError(
            f"--size {size}", "is too small to have edges", f"Use {SIZES_PX[1]} or more"
        )
    if size % asked.downsampling:
        raise UserError(
            f"--size {size}",
            f"cannot be divided by the downsampling, {asked.downsampling}",
            f"Use {max(1, size // asked.downsampling) * asked.downsampling}",
        )
    if asked.adversarial and size < _CROP_PX and size % STRIDE_PX:
        raise UserError(
            f"--size {size}",
            f"cannot be divided by the discriminator's stride, {STRIDE_PX}",
            f"Use {max(1, size // STRIDE_PX) * STRIDE_PX}, or leave --adversarial out",
        )
    if all(value is None for value in budget.values()):
        budget = DEFAULT_BUDGET
    return AutoencoderRun(
        recipe="autoencoder",
        autoencoder=autoencoder_shape(num_channels, asked.downsampling, asked.latent_channels),
        image_size_px=size,
        fit=asked.fit,  # type: ignore[arg-type]
        crop_px=_CROP_PX if size > _CROP_PX else None,
        reconstruction=ReconstructionConfig(
            kl_weight=asked.kl, adversarial_weight=asked.adversarial
        ),
        training=TrainingConfig(
            seed=seed,
            batch_size=32,
            matrix_learning_rate=4e-3,
            other_learning_rate=1e-3,
            # Convolutions gain nothing from bfloat16 or the compiler (docs/experiments.md).
            precision="float32",
            compile=False,
            warmup_steps=100,
            # A constant rate lets colours drift (docs/experiments.md).
            decay_fraction=1.0,
            num_validation=256,
            **budget,  # type: ignore[arg-type]
        ),
    )


def autoencoder_shape(
    num_channels: int, downsampling: int = 8, latent_channels: int | None = None
) -> AutoencoderConfig:
    """The recipe's network for pictures of so many channels."""
    return AutoencoderConfig(
        num_channels=num_channels,
        downsampling=downsampling,  # type: ignore[arg-type]
        latent_channels=latent_channels or (8 if num_channels == 3 else 4),
        width=32,
    )
