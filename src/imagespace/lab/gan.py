"""A generative adversarial network for points or small pictures: the rival of diffusion.

Two networks play (Goodfellow et al. 2014, arXiv 1406.2661): the discriminator D learns to tell
data from draws, the generator G turns noise into draws that D takes for data. With the
non-saturating loss G maximises log D(G(z)).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagespace.randomness import generator


@dataclass(frozen=True)
class GanConfig:
    """The size and training of both networks."""

    width: int = 192
    depth: int = 3
    num_octaves: int = 4  # sines of x that the discriminator reads, as the diffusion model does
    num_latents: int = 2
    batch_size: int = 256
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.999)
    # The learning rate falls to zero over this last part, as the diffusion model's does.
    decay_fraction: float = 0.5
    # R1: the squared gradient of D at the data (arXiv 1801.04406, eq. 9). By hand, on 25 Gaussians
    # and 500,000 points: without it 0 to 13 modes are covered, with 0.01 or more all of them.
    gradient_penalty: float = 0.1
    ema_decay: float = 0.995  # of the generator that draws


class PointFeatures(nn.Module):
    """x [B, D] and its sines and cosines with periods 2, 1, 1/2, ...: [B, D (1 + 2 octaves)]."""

    def __init__(self, num_octaves: int) -> None:
        super().__init__()
        octaves = math.pi * 2.0 ** torch.arange(num_octaves)
        self.register_buffer("octaves", octaves, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        angle = (x[:, :, None] * self.octaves).flatten(1)  # type: ignore[operator]
        return torch.cat([x, angle.sin(), angle.cos()], dim=1)


def perceptron(num_in: int, width: int, depth: int, num_out: int) -> nn.Sequential:
    """`depth` hidden layers with leaky ReLU."""
    layers: list[nn.Module] = []
    for number in range(depth):
        layers += [nn.Linear(width if number else num_in, width), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Linear(width, num_out))


Networks = tuple[nn.Module, nn.Module]


def point_networks(config: GanConfig, num_dimensions: int) -> Networks:
    """Generator [B, num_latents] -> [B, D] and discriminator [B, D] -> [B, 1] of points."""
    num_features = num_dimensions * (1 + 2 * config.num_octaves)
    return (
        perceptron(config.num_latents, config.width, config.depth, num_dimensions),
        nn.Sequential(
            PointFeatures(config.num_octaves),
            perceptron(num_features, config.width, config.depth, 1),
        ),
    )


def picture_networks(config: GanConfig, shape: tuple[int, int, int]) -> Networks:
    """Generator [B, num_latents] -> [B, C, H, W] in [-1, 1] and discriminator of small pictures.

    Perceptrons again: on a processor they take twenty times the steps that convolutions would in
    the same minutes.
    """
    num_values = math.prod(shape)
    return (
        nn.Sequential(
            perceptron(config.num_latents, config.width, config.depth, num_values),
            nn.Tanh(),
            nn.Unflatten(1, shape),
        ),
        nn.Sequential(nn.Flatten(), perceptron(num_values, config.width, config.depth, 1)),
    )


class Gan:
    """Generator, its average over the steps, and discriminator."""

    def __init__(
        self, config: GanConfig, build: Callable[[GanConfig], Networks], seed: int
    ) -> None:
        self.config, self.seed = config, seed
        # Layers draw their first weights from torch's global generator: give it back untouched.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(generator(seed, "gan/weights").initial_seed())
            self.generator, self.discriminator = build(config)
        self.average = {k: v.detach().clone() for k, v in self.generator.named_parameters()}

    @property
    def num_parameters(self) -> int:
        """Of both networks."""
        modules = (self.generator, self.discriminator)
        return sum(p.numel() for module in modules for p in module.parameters())

    def train(self, points: Tensor, num_points_seen: int) -> None:
        """Alternates one step of each network until `num_points_seen` points have been read."""
        config = self.config
        num_steps = num_points_seen // config.batch_size
        optimizers = [
            torch.optim.Adam(m.parameters(), config.learning_rate, config.betas, foreach=True)
            for m in (self.discriminator, self.generator)
        ]
        decay_steps = max(1, round(config.decay_fraction * num_steps))
        for step in range(num_steps):
            for optimizer in optimizers:
                scale = min(1.0, (num_steps - step) / decay_steps)
                optimizer.param_groups[0]["lr"] = config.learning_rate * scale
            random = generator(self.seed, "gan/step", step)
            rows = torch.randint(len(points), (config.batch_size,), generator=random)
            real = points[rows].requires_grad_(config.gradient_penalty > 0)
            draws = self.generator(torch.randn(len(rows), config.num_latents, generator=random))
            says_real = self.discriminator(real)
            says_drawn = self.discriminator(draws.detach())
            loss = F.softplus(-says_real).mean() + F.softplus(says_drawn).mean()
            if config.gradient_penalty > 0:
                (slope,) = torch.autograd.grad(says_real.sum(), real, create_graph=True)
                loss = (
                    loss + config.gradient_penalty / 2 * slope.square().flatten(1).sum(dim=1).mean()
                )
            self._update(optimizers[0], loss)
            self._update(optimizers[1], F.softplus(-self.discriminator(draws)).mean())
            # A young average forgets its first steps.
            decay = min(config.ema_decay, (1 + step) / (10 + step))
            for name, parameter in self.generator.named_parameters():
                self.average[name].lerp_(parameter.detach(), 1 - decay)

    @staticmethod
    def _update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        parameters = optimizer.param_groups[0]["params"]
        # Only this player's gradients: the other one's would cost as much and be thrown away.
        for parameter, slope in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = slope
        optimizer.step()

    @torch.inference_mode()
    def sample(self, num: int, random: torch.Generator) -> Tensor:
        """Draws [num, ...] of the averaged generator, in one pass."""
        z = torch.randn(num, self.config.num_latents, generator=random)
        draws: Tensor = torch.func.functional_call(self.generator, self.average, (z,))
        return draws
