"""An autoencoder as a task of the training loop."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagespace.checkpoints import save_autoencoder
from imagespace.errors import UserError
from imagespace.networks.autoencoder import Autoencoder
from imagespace.pictures.contact_sheet import contact_sheet
from imagespace.pictures.folder import PictureSet
from imagespace.pipeline import from_pixels, pixels_to_image
from imagespace.pipeline.autoencoding import reconstruction
from imagespace.randomness import generator
from imagespace.training.adversarial import without_discriminator
from imagespace.training.config import AutoencoderRun
from imagespace.training.order import EpochOrder, evenly
from imagespace.training.task import Task

NUM_SHOWN = 8
NUM_MEASURED, NUM_MEASURED_IN_PASSING = 4096, 256
"""Training pictures at most that the latents' mean and deviation are measured on.

Encoding 4,096 glyphs of 128 px takes as long as some fifty training steps.
"""
_BATCH_PX = 32 * 128**2


class AutoencoderData(Task):
    """Pictures without captions; which of them step k sees, and which part, derives from (seed, k).

    Judged by the reconstruction of held-out pictures.
    """

    keeps_early = False

    def __init__(self, config: AutoencoderRun, pictures: PictureSet) -> None:
        self.config, self.pictures = config, pictures
        self.key = pictures.key
        self.rows = pictures.indices("train")
        if not len(self.rows):
            raise UserError("training split", "has no pictures", "Mark pictures with split train")
        self.order = EpochOrder(self.rows, config.training.seed)
        self._batch = max(1, _BATCH_PX // config.image_size_px**2)

    def batch(self, step: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Pictures [B, C, H, W] of a step, or squares cut from them at random."""
        training, crop = self.config.training, self.config.crop_px
        x_0 = self._pictures(self.order.batch(step, training.batch_size))
        if crop is None:
            return x_0, ()
        random = generator(training.seed, "crops", step)
        last = self.config.image_size_px - crop
        corners = torch.randint(last + 1, (len(x_0), 2), generator=random).tolist()
        squares = [
            picture[:, y : y + crop, x : x + crop]
            for picture, (y, x) in zip(x_0, corners, strict=True)
        ]
        return torch.stack(squares), ()

    def _pictures(self, rows: NDArray[np.int64]) -> Tensor:
        return from_pixels(np.ascontiguousarray(self.pictures.pixels[rows]))

    def validation_rows(self) -> NDArray[np.int64]:
        """The rows that are judged: of split validation, or training ones if there are none."""
        rows = self.pictures.indices("validation")
        return evenly(rows if len(rows) else self.rows, self.config.training.num_validation)

    @torch.inference_mode()
    def evaluate(
        self, weights: dict[str, Tensor], dtype: torch.dtype, run: Path, samples: Path
    ) -> dict[str, float]:
        """PSNR in dB and SSIM of held-out pictures, as 8-bit pictures; originals over copies."""
        rows = self.validation_rows()
        found = reconstruction(self._autoencoder(weights), self.pictures.pixels, rows)
        chosen = evenly(np.arange(len(rows)), NUM_SHOWN)
        both = [*found.originals[chosen], *found.copies[chosen]]
        contact_sheet([pixels_to_image(one) for one in both], None, len(chosen)).save(samples)
        means = {"psnr": found.psnr_db, "ssim": found.ssim}
        return {name: float(value.double().mean()) for name, value in means.items()}

    def save(self, path: Path, weights: dict[str, Tensor]) -> None:
        kept = without_discriminator(weights)
        # Not in the run's configuration: an older run could not be continued.
        seen = {"trained_size_px": self.config.image_size_px}
        save_autoencoder(path, kept, self.config.autoencoder.model_copy(update=seen))

    @torch.inference_mode()
    def completed(self, weights: dict[str, Tensor], in_passing: bool) -> dict[str, Tensor]:
        """`weights` whose latents have mean 0 and deviation 1 in every channel.

        Measured over the training pictures; where there are more than 4,096, on as many of them,
        evenly spaced; in passing on 256.
        """
        autoencoder = self._autoencoder(weights)
        most = NUM_MEASURED_IN_PASSING if in_passing else NUM_MEASURED
        rows = evenly(self.rows, most)
        channels = autoencoder.config.latent_channels
        total, squares, num = torch.zeros(channels).double(), torch.zeros(channels).double(), 0
        for some in np.array_split(rows, -(-len(rows) // self._batch)):
            latents = autoencoder.encode(self._pictures(some)).double()
            total += latents.sum(dim=(0, 2, 3))
            squares += latents.square().sum(dim=(0, 2, 3))
            num += latents.numel() // channels
        mean = total / num
        std = (squares / num - mean**2).clamp(min=1e-12).sqrt()
        dtype = weights["latent_mean"].dtype
        return weights | {"latent_mean": mean.to(dtype), "latent_std": std.to(dtype)}

    def _autoencoder(self, weights: dict[str, Tensor]) -> Autoencoder:
        autoencoder = Autoencoder(self.config.autoencoder)
        autoencoder.load_state_dict(without_discriminator(weights))
        return autoencoder.eval()
