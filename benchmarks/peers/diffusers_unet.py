"""diffusers: its UNet2DModel, trained as its train_unconditional example does."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import (
    DDIMPipeline,
    DDPMPipeline,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    UNet2DModel,
)
from diffusers.training_utils import EMAModel
from peer import BFLOAT16, DEFAULT, IMAGE_SIZE_PX, Peer, mixed
from torch import Tensor, nn

PACKAGES = ("diffusers",)


@dataclass(frozen=True)
class Setting:
    """Channels of each level; attention stands at the last but one, as in the example."""

    channels: tuple[int, ...] = (128, 128, 256, 256, 512, 512)
    layers_per_block: int = 2
    learning_rate: float = 1e-4
    batch_size: int = 16
    warmup_steps: int = 500
    beta_schedule: str = "linear"
    prediction: str = "epsilon"
    norm_num_groups: int = 32
    precision: str = "float32"


@dataclass(frozen=True)
class Sampler:
    """ "ddpm" is the example's DDPMPipeline, "ddim" DDIMPipeline, "dpm" DPM-Solver++ (2M)."""

    kind: str
    num_steps: int


# Half the channels where the picture is largest; their groups of 32 would not divide 16.
SLIM = (16, 32, 64, 128, 128)
# The example: these channels, 1,000 linear betas, noise prediction, AdamW (0.95, 0.999) at 1e-4
# with weight decay 1e-6, 500 steps of warm-up, then a cosine; batches of 16, gradients clipped at
# 1, EMA of power 3/4 up to 0.9999.
SETTINGS = {
    DEFAULT: Setting(),
    "four-levels": Setting((32, 64, 128, 128), 2, 3e-4, 16, 50),
    "four-levels-thin": Setting((32, 64, 128, 128), 1, 1e-3, 8, 20, precision=BFLOAT16),
    "five-levels-thin": Setting((32, 64, 64, 128, 128), 1, 1e-3, 8, 20, precision=BFLOAT16),
    "six-levels": Setting((32, 32, 64, 64, 128, 128), 2, 1e-3, 8, 20, precision=BFLOAT16),
    "slim-float32": Setting(SLIM, 1, 1e-3, 8, 20, norm_num_groups=8),
    "slim": Setting(SLIM, 1, 1e-3, 8, 20, norm_num_groups=8, precision=BFLOAT16),
    "slim-rate-3e-4": Setting(SLIM, 1, 3e-4, 8, 20, norm_num_groups=8, precision=BFLOAT16),
    "slim-sample": Setting(SLIM, 1, 1e-3, 8, 20, "linear", "sample", 8, BFLOAT16),
    "slim-v-cosine": Setting(
        SLIM, 1, 1e-3, 8, 20, "squaredcos_cap_v2", "v_prediction", 8, BFLOAT16
    ),
}
# DDIMPipeline draws in 50 steps unless told otherwise; the example's 1,000 would be too slow.
SAMPLERS = {
    "ddim-50": Sampler("ddim", 50),
    "ddpm-50": Sampler("ddpm", 50),
    "ddpm-100": Sampler("ddpm", 100),
    "dpm-25": Sampler("dpm", 25),
}


class DiffusersPeer(Peer):
    lowest = -1.0

    def __init__(self, setting: Setting, sampler: Sampler) -> None:
        self.setting, self.sampler = setting, sampler
        self.batch_size = setting.batch_size
        down = ["DownBlock2D"] * len(setting.channels)
        up = ["UpBlock2D"] * len(setting.channels)
        down[-2], up[1] = "AttnDownBlock2D", "AttnUpBlock2D"
        self.network = UNet2DModel(
            sample_size=IMAGE_SIZE_PX,
            in_channels=1,
            out_channels=1,
            layers_per_block=setting.layers_per_block,
            block_out_channels=setting.channels,
            down_block_types=tuple(down),
            up_block_types=tuple(up),
            norm_num_groups=setting.norm_num_groups,
        )
        self.scheduler = DDPMScheduler(
            num_train_timesteps=1000,
            beta_schedule=setting.beta_schedule,
            prediction_type=setting.prediction,
        )
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            setting.learning_rate,
            betas=(0.95, 0.999),
            weight_decay=1e-6,
            eps=1e-8,
        )
        self.num_steps = 0
        self.start_average()

    def train_step(self, pictures: Tensor, fraction: float) -> float:
        self.network.train()
        self.num_steps += 1
        warmup = min(1.0, self.num_steps / self.setting.warmup_steps)
        # The example's cosine ends with its last epoch; here it ends with the time.
        decay = 0.5 * (1 + math.cos(math.pi * min(fraction, 1.0)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.setting.learning_rate * warmup * decay
        noise = torch.randn_like(pictures)
        timesteps = torch.randint(0, self.scheduler.config.num_train_timesteps, (len(pictures),))
        noisy = self.scheduler.add_noise(pictures, noise, timesteps)
        with mixed(self.setting.precision):
            answer = self.network(noisy, timesteps).sample.float()
        if self.setting.prediction == "epsilon":
            loss = F.mse_loss(answer, noise)
        elif self.setting.prediction == "sample":
            # The example weighs the error of the picture by the signal-to-noise ratio.
            share = self.scheduler.alphas_cumprod[timesteps].reshape(-1, 1, 1, 1)
            loss = (share / (1 - share) * F.mse_loss(answer, pictures, reduction="none")).mean()
        else:
            loss = F.mse_loss(answer, self.scheduler.get_velocity(pictures, noise, timesteps))
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.step(self.network.parameters())
        return float(loss.item())

    def start_average(self) -> None:
        self.ema = EMAModel(
            self.network.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=3 / 4
        )

    @contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        self.ema.store(self.network.parameters())
        self.ema.copy_to(self.network.parameters())
        try:
            yield self.network
        finally:
            self.ema.restore(self.network.parameters())

    def draw(self, network: nn.Module, num: int) -> Tensor:
        kind = self.sampler.kind
        # A scheduler of its own: the pipeline changes the times of the one that it is given.
        taken = DPMSolverMultistepScheduler if kind == "dpm" else DDPMScheduler
        scheduler = taken.from_config(self.scheduler.config)
        pipeline = (DDIMPipeline if kind == "ddim" else DDPMPipeline)(network.eval(), scheduler)
        pipeline.set_progress_bar_config(disable=True)
        drawn = pipeline(
            batch_size=num, num_inference_steps=self.sampler.num_steps, output_type="np"
        )
        return torch.from_numpy(drawn.images).permute(0, 3, 1, 2)


def samplers_of(setting: Setting) -> dict[str, Sampler]:
    return SAMPLERS


def build(setting: Setting, sampler: Sampler) -> Peer:
    return DiffusersPeer(setting, sampler)
