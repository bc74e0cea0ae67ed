"""smalldiffusion: its DiT, trained as its FashionMNIST and ImageNet examples do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from peer import BFLOAT16, DEFAULT, IMAGE_SIZE_PX, Peer, mixed
from torch import Tensor, nn
from torch_ema import ExponentialMovingAverage
from torchvision_stand_in import torchvision_or_stand_in

with torchvision_or_stand_in():
    from smalldiffusion import (
        DiT,
        PredFlow,
        PredV,
        PredX0,
        Scaled,
        ScheduleDDPM,
        ScheduleFlow,
        ScheduleLogNormalFlow,
        TimestepEmbedder,
        generate_train_sample,
        samples,
    )

PACKAGES = ("smalldiffusion", "torch-ema", "einops", "accelerate")


@dataclass(frozen=True)
class Setting:
    """A DiT of `depth` blocks with `num_heads` heads of `head_dim`, and what it predicts.

    "eps", "x0" and "v" run on the DDPM schedule, "flow" on the flow schedule with logit-normal
    times. `scaled` divides the input by the root of 1 + sigma^2 (the package's `Scaled`).
    """

    patch_size: int = 8
    depth: int = 6
    head_dim: int = 32
    num_heads: int = 6
    prediction: str = "eps"
    scaled: bool = False
    learning_rate: float = 1e-3
    batch_size: int = 256
    ema_decay: float = 0.99
    precision: str = "float32"


@dataclass(frozen=True)
class Sampler:
    """Of the package's `samples`: gam 1 is DDIM, with mu 0.5 DDPM; a larger gam is accelerated."""

    num_steps: int
    gam: float
    mu: float = 0.0


# The FashionMNIST example: width 192 in 6 heads, depth 6, AdamW at 1e-3, EMA 0.99. Its patches of
# 2 make 196 tokens of 28 pixels; patches of 8 make 256 of 128. Its batch of 1024 does not fit here.
SETTINGS = {
    DEFAULT: Setting(),
    "eps-batch-64": Setting(batch_size=64),
    "scaled-eps-batch-64-rate-3e-4": Setting(scaled=True, batch_size=64, learning_rate=3e-4),
    "x0-batch-64-bfloat16": Setting(
        prediction="x0", scaled=True, batch_size=64, precision=BFLOAT16
    ),
    "v-batch-64-bfloat16": Setting(prediction="v", scaled=True, batch_size=64, precision=BFLOAT16),
    "flow-batch-64-bfloat16": Setting(prediction="flow", batch_size=64, precision=BFLOAT16),
    "flow-batch-64-bfloat16-rate-3e-4": Setting(
        prediction="flow", batch_size=64, precision=BFLOAT16, learning_rate=3e-4
    ),
    "x0-patch-16-width-256": Setting(16, 8, 64, 4, "x0", True, 1e-3, 64, 0.99, BFLOAT16),
    "flow-patch-16-width-256": Setting(16, 8, 64, 4, "flow", False, 1e-3, 64, 0.99, BFLOAT16),
    "flow-patch-8-width-256": Setting(8, 8, 64, 4, "flow", False, 1e-3, 64, 0.99, BFLOAT16),
}
# The FashionMNIST example draws with 20 steps at gam 1.6.
SAMPLERS = {
    "gam-1.6-20": Sampler(20, 1.6),
    "ddim-50": Sampler(50, 1.0),
    "ddpm-50": Sampler(50, 1.0, 0.5),
    "ddpm-100": Sampler(100, 1.0, 0.5),
}
# The ImageNet example draws with 10 steps at gam 1.6. Fresh noise (mu above 0) is made for sigmas
# of the DDPM schedule and has no meaning for a flow's times.
FLOW_SAMPLERS = {
    "gam-1.6-20": Sampler(20, 1.6),
    "gam-1.6-10": Sampler(10, 1.6),
    "ddim-50": Sampler(50, 1.0),
}

PREDICTIONS = {"eps": lambda network: network, "x0": PredX0, "v": PredV, "flow": PredFlow}
# The ImageNet example draws down to this time only, then takes the last step.
FLOW_TIME_MIN = 0.04


class SmalldiffusionPeer(Peer):
    lowest = -1.0

    def __init__(self, setting: Setting, sampler: Sampler) -> None:
        self.setting, self.sampler = setting, sampler
        self.batch_size = setting.batch_size
        flow = setting.prediction == "flow"
        self.schedule = ScheduleLogNormalFlow() if flow else ScheduleDDPM(N=1000)
        width = setting.head_dim * setting.num_heads
        network: Any = Scaled(DiT) if setting.scaled else DiT
        self.network = PREDICTIONS[setting.prediction](network)(
            in_dim=IMAGE_SIZE_PX,
            channels=1,
            patch_size=setting.patch_size,
            depth=setting.depth,
            head_dim=setting.head_dim,
            num_heads=setting.num_heads,
            sig_embed=TimestepEmbedder(width) if flow else None,
        )
        self.optimizer = torch.optim.AdamW(self.network.parameters(), setting.learning_rate)
        self.accelerator = Accelerator(cpu=True)
        self.start_average()

    def train_step(self, pictures: Tensor, fraction: float) -> float:
        # The body of the package's `training_loop`.
        self.network.train()
        self.optimizer.zero_grad()
        x_0, sigma, eps, condition = generate_train_sample(pictures, self.schedule)
        with mixed(self.setting.precision):
            loss = self.network.get_loss(x_0, sigma, eps, cond=condition)
        loss.backward()
        self.optimizer.step()
        self.ema.update()
        return float(loss.item())

    def start_average(self) -> None:
        self.ema = ExponentialMovingAverage(self.network.parameters(), self.setting.ema_decay)

    @contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        with self.ema.average_parameters():
            yield self.network

    def draw(self, network: nn.Module, num: int) -> Tensor:
        start = None
        schedule = self.schedule
        if self.setting.prediction == "flow":
            # As in the ImageNet example: pure noise in float64.
            schedule = ScheduleFlow(t_min=FLOW_TIME_MIN)
            start = torch.randn(num, 1, IMAGE_SIZE_PX, IMAGE_SIZE_PX, dtype=torch.float64)
        *_, x = samples(
            network,
            schedule.sample_sigmas(self.sampler.num_steps),
            gam=self.sampler.gam,
            mu=self.sampler.mu,
            batchsize=num,
            xt=start,
            accelerator=self.accelerator,
        )
        return (x.float() + 1) / 2


def samplers_of(setting: Setting) -> dict[str, Sampler]:
    return FLOW_SAMPLERS if setting.prediction == "flow" else SAMPLERS


def build(setting: Setting, sampler: Sampler) -> Peer:
    return SmalldiffusionPeer(setting, sampler)
