"""Which recipe and size suit a folder, and what training takes of this machine."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from imagespace.checkup.caption_findings import Row, texts_of
from imagespace.checkup.finding import Finding
from imagespace.networks.build import build_network
from imagespace.networks.transformer import TransformerConfig, training_flops_per_picture
from imagespace.pictures.inspection import Inspected
from imagespace.pictures.split import TRAIN
from imagespace.precision import fastest_dtype, has_compiler, matrix_product_rate
from imagespace.recipes import (
    for_few_pictures,
    for_folder,
    network_sized,
    recipe,
    suited_recipe,
)
from imagespace.training.config import RunConfig

# What the glyph model was trained on in its 30 minutes; fewer leave a picture set half learnt.
NUM_SEEN = 300_000
# What a step takes beyond its matrix products, for each number of (token, layer, channel) and each
# thread, by the rates of benchmarks/training_rate.py. In bfloat16 189 pictures/s at 2.95 TFLOP/s
# and 83 at 0.41 both leave 4.1 ms a picture on two threads, and twice that uncompiled; in float32,
# where compiling brings little, 39 at 0.18 leave 8 ms.
_ELEMENTWISE_S = {torch.bfloat16: 9e-8, torch.float32: 1.8e-7}
_UNCOMPILED = 2.0
# Muon's products for a block, in cubes of the width: 34 GFLOP a step of 384 x 3
# (benchmarks/muon_time.py).
_MUON_CUBES = 200
# Where NUM_SEEN pictures take longer, a smaller network is named as well. 4 (256 wide, 2 deep) is
# the smallest that was tried on pictures.
_LONG_MINUTES, _SMALLEST_NETWORK = 60.0, 4
# Fitted to training runs, and rather too much: the process itself; weights, gradient, average and
# moments in float32; what is kept of each (token, layer, channel) for the backward pass.
_PROCESS_BYTES, _BYTES_PER_PARAMETER = 0.5e9, 24
_BYTES_PER_VALUE = {torch.bfloat16: 110, torch.float32: 160}


@dataclass(frozen=True)
class Speed:
    """What was timed of this machine: its faster arithmetic, and the FLOP/s of products in it."""

    dtype: torch.dtype
    product_rate: float

    @classmethod
    def of_this_machine(cls) -> "Speed":
        """Takes a second or two."""
        dtype = fastest_dtype()
        return cls(dtype, matrix_product_rate(dtype))


@dataclass(frozen=True)
class Recommendation:
    """A configuration for the folder, with estimates: a step is not tried, only computed.

    `smaller` is a size of the network for those who have less time, with its minutes.
    """

    config: RunConfig
    pictures_per_s: float
    memory_gb: float
    num_training: int
    smaller: tuple[int, float] | None

    @property
    def network(self) -> TransformerConfig:
        assert isinstance(self.config.model.network, TransformerConfig)
        return self.config.model.network

    @property
    def minutes(self) -> float:
        """What showing NUM_SEEN pictures takes."""
        return _minutes(self.pictures_per_s)

    @property
    def num_passes(self) -> float:
        """How often each picture is then shown."""
        return NUM_SEEN / self.num_training

    @property
    def lines(self) -> list[str]:
        """The recommendation in words."""
        network = self.network
        colour = "colour" if network.num_channels == 3 else "grey"
        text = "" if network.max_text_tokens else ", without prompts"
        lines = [
            f"recipe {self.config.recipe}, {network.image_size_px} px, {colour}{text}",
            f"about {self.minutes:.0f} minutes on this machine for {NUM_SEEN:,} pictures "
            f"({self.pictures_per_s:.0f} a second; each picture {self.num_passes:,.0f} times)",
            f"about {self.memory_gb:.1f} GB of memory",
        ]
        if self.smaller is not None and self.minutes > _LONG_MINUTES:
            size, minutes = self.smaller
            lines.append(f"or --network {size}, a smaller one: about {minutes:.0f} minutes")
        return lines


def recommend(
    rows: Sequence[Row], looks: Sequence[Inspected], image_size_px: int | None = None
) -> Recommendation:
    """What suits pictures of which at least one is in training; `image_size_px` overrules.

    UserError: no such size.
    """
    name = suited_recipe(rows) if image_size_px is None else "pictures"
    config = recipe(name, {"budget_images": NUM_SEEN, "budget_minutes": None})
    if name == "pictures":
        is_captioned = any(texts_of(row) for row in rows)
        config = for_folder(config, rows, looks, image_size_px, is_captioned)
    num_training = sum(row["split"] == TRAIN for row in rows)
    speed = Speed.of_this_machine()
    rate, memory_gb = estimate(config, speed)
    smaller = smaller_network(config, _LONG_MINUTES, speed)
    return Recommendation(config, rate, memory_gb, num_training, smaller)


def within_budget(config: RunConfig) -> tuple[RunConfig, Finding | None]:
    """The run with a network that can be learnt in its minutes here, and what is to be said of it.

    A network that is shown too few pictures draws nothing, while a smaller one already draws
    (docs/experiments.md). So where the recipe's would be shown less than half of NUM_SEEN, the
    largest is taken that is shown them all, or the smallest, and made to learn from few pictures
    (`recipes.for_few_pictures`).
    """
    minutes = config.training.budget_minutes
    if minutes is None:
        return config, None
    speed = Speed.of_this_machine()
    own = config.model.network
    assert isinstance(own, TransformerConfig)
    num_shown = _shown(config, minutes, speed)
    smaller = smaller_network(config, minutes, speed)
    if num_shown >= NUM_SEEN / 2 or smaller is None:
        return config, budget_finding(config)
    size, _ = smaller
    config = for_few_pictures(config, size)
    still_shown = _shown(config, minutes, speed)
    needed = _minutes(estimate(config, speed)[0])
    remedy = f"Say --network {own.width // 64} for the recipe's own"
    if still_shown < NUM_SEEN / 2:
        remedy += f"; {needed:.0f} minutes would show it all of them"
    return config, Finding(
        "remark",
        "smaller network",
        f"--network {size}",
        f"is trained, because in {minutes:g} min this machine shows about {still_shown:,.0f} "
        f"pictures to it and {num_shown:,.0f} to the recipe's own, of {NUM_SEEN:,} or so that a "
        "set takes to be learnt",
        remedy,
    )


def budget_finding(config: RunConfig) -> Finding | None:
    """A warning where the budget in minutes leaves pictures half learnt on this machine."""
    minutes = config.training.budget_minutes
    if minutes is None:
        return None
    speed = Speed.of_this_machine()
    num_shown = _shown(config, minutes, speed)
    if num_shown >= NUM_SEEN / 2:
        return None
    remedy = f"Train for about {_minutes(estimate(config, speed)[0]):.0f} minutes"
    smaller = smaller_network(config, minutes, speed)
    if smaller is not None:
        remedy += f", or a smaller network: --network {smaller[0]} (about {smaller[1]:.0f})"
    return Finding(
        "warning",
        "short budget",
        f"{minutes:g} minutes",
        f"this machine shows about {num_shown:,.0f} pictures in them, of {NUM_SEEN:,} or so that "
        "a set takes to be learnt",
        remedy,
    )


def _shown(config: RunConfig, minutes: float, speed: Speed) -> float:
    return 60 * minutes * estimate(config, speed)[0]


def smaller_network(config: RunConfig, minutes: float, speed: Speed) -> tuple[int, float] | None:
    """The largest network below the run's that is shown NUM_SEEN pictures in `minutes`.

    Its size on the dial and its minutes; those of the smallest if none is fast enough.
    """
    network = config.model.network
    assert isinstance(network, TransformerConfig)
    found = None
    for size in range(network.width // 64 - 1, _SMALLEST_NETWORK - 1, -1):
        found = size, _minutes(estimate(network_sized(config, size), speed)[0])
        if found[1] <= minutes:
            break
    return found


def _minutes(pictures_per_s: float) -> float:
    return NUM_SEEN / pictures_per_s / 60


def estimate(config: RunConfig, speed: Speed) -> tuple[float, float]:
    """Pictures per second, and GB at most, of a training on a machine of that speed.

    The time of a picture is that of its matrix products and of its share of Muon's at the measured
    rate, and as much per value as the published rates leave for all else.
    """
    network = config.model.network
    assert isinstance(network, TransformerConfig)
    values = network.num_tokens * network.depth * network.width
    elementwise_s = _ELEMENTWISE_S[speed.dtype] * values / torch.get_num_threads()
    if speed.dtype == torch.bfloat16 and not has_compiler():
        elementwise_s *= _UNCOMPILED
    of_step = _MUON_CUBES * network.depth * network.width**3
    product_flops = training_flops_per_picture(network) + of_step / config.training.batch_size
    product_s = product_flops / speed.product_rate
    with torch.device("meta"):
        num_parameters = sum(p.numel() for p in build_network(network).parameters())
    memory = _PROCESS_BYTES + _BYTES_PER_PARAMETER * num_parameters
    memory += config.training.batch_size * values * _BYTES_PER_VALUE[speed.dtype]
    return 1 / (product_s + elementwise_s), memory / 1e9
