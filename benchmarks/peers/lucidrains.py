"""denoising-diffusion-pytorch: its U-Net and GaussianDiffusion, trained as its Trainer does."""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision_stand_in import torchvision_or_stand_in

with torchvision_or_stand_in():
    from denoising_diffusion_pytorch import GaussianDiffusion, Unet
from ema_pytorch import EMA
from peer import BFLOAT16, DEFAULT, IMAGE_SIZE_PX, Peer, mixed

PACKAGES = ("denoising-diffusion-pytorch", "ema-pytorch", "einops")


@dataclass(frozen=True)
class Setting:
    """Fields that are not named keep the package's default."""

    dim: int = 64
    attn_heads: tuple[int, ...] = (4, 4, 4, 4)
    learning_rate: float = 1e-4
    batch_size: int = 16
    precision: str = "float32"


@dataclass(frozen=True)
class Sampler:
    """DDIM with `num_steps` of the 1,000 steps; eta 1 draws all of the noise afresh."""

    num_steps: int
    eta: float = 0.0


# README: dim 64 and dim_mults (1, 2, 4, 8). Trainer: Adam (0.9, 0.99) at 1e-4, batches of 16,
# gradients clipped at 1, EMA 0.995 every 10 steps.
SETTINGS = {
    DEFAULT: Setting(),
    "dim16": Setting(16, learning_rate=3e-4),
    "dim16-rate-1e-3": Setting(16, learning_rate=1e-3),
    "dim16-rate-1e-3-batch-8": Setting(16, learning_rate=1e-3, batch_size=8),
    "dim32-rate-1e-3-batch-8": Setting(32, learning_rate=1e-3, batch_size=8),
    # One attention head where the picture is largest: twice the pictures a second.
    "dim16-heads-1124": Setting(16, (1, 1, 2, 4), 1e-3),
    "dim16-heads-1124-batch-8": Setting(16, (1, 1, 2, 4), 1e-3, 8),
    "dim16-heads-1124-batch-8-rate-3e-4": Setting(16, (1, 1, 2, 4), 3e-4, 8),
    "dim32-heads-1124-batch-8-bfloat16": Setting(32, (1, 1, 2, 4), 1e-3, 8, BFLOAT16),
}
# README: "using ddim for faster inference", there with 250 steps.
SAMPLERS = {
    "ddim-50": Sampler(50),
    "ddim-50-eta-1": Sampler(50, 1.0),
    "ddim-100": Sampler(100),
    "ddim-250": Sampler(250),
}


class LucidrainsPeer(Peer):
    lowest = 0.0

    def __init__(self, setting: Setting, sampler: Sampler) -> None:
        self.batch_size = setting.batch_size
        self.precision = setting.precision
        self.network = Unet(dim=setting.dim, channels=1, attn_heads=setting.attn_heads)
        self.diffusion = GaussianDiffusion(
            self.network,
            image_size=IMAGE_SIZE_PX,
            sampling_timesteps=sampler.num_steps,
            ddim_sampling_eta=sampler.eta,
        )
        self.optimizer = torch.optim.Adam(
            self.diffusion.parameters(), setting.learning_rate, (0.9, 0.99)
        )
        self.start_average()

    def train_step(self, pictures: Tensor, fraction: float) -> float:
        self.diffusion.train()
        with mixed(self.precision):
            loss = self.diffusion(pictures)
        loss.backward()
        nn.utils.clip_grad_norm_(self.diffusion.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.update()
        return float(loss.item())

    def start_average(self) -> None:
        self.ema = EMA(self.diffusion, beta=0.995, update_every=10)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        yield self.ema.ema_model.model

    def draw(self, network: nn.Module, num: int) -> Tensor:
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
            x: Tensor = self.ema.ema_model.eval().sample(batch_size=num)
        return x


def samplers_of(setting: Setting) -> dict[str, Sampler]:
    return SAMPLERS


def build(setting: Setting, sampler: Sampler) -> Peer:
    return LucidrainsPeer(setting, sampler)
