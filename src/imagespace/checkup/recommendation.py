"""Which recipe and size suit a folder, and what training it takes of this machine."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from imagespace.checkup.caption_findings import Row, texts_of
from imagespace.networks.build import build_network
from imagespace.networks.transformer import TransformerConfig, training_flops_per_picture
from imagespace.pictures.inspection import Inspected
from imagespace.pictures.split import TRAIN
from imagespace.precision import fastest_dtype, has_compiler, matrix_product_rate
from imagespace.recipes import for_folder, recipe, suited_recipe
from imagespace.training.config import RunConfig

# What the glyph model was trained on in its 30 minutes; fewer leave a picture set half learnt.
NUM_SEEN = 300_000
# What a step takes beyond its matrix products, for each number of (token, layer, channel) and each
# thread: the rates of benchmarks/training_rate.py on two kinds of processor, 189 pictures/s at 2.95
# TFLOP/s and 83 at 0.41, both leave 4.1 ms a picture on two threads. Twice that uncompiled.
_ELEMENTWISE_S, _UNCOMPILED = 9e-8, 2.0
# Fitted to training runs, and rather too much: the process itself; weights, gradient, average and
# moments in float32; what is kept of each (token, layer, channel) for the backward pass.
_PROCESS_BYTES, _BYTES_PER_PARAMETER = 0.5e9, 24
_BYTES_PER_VALUE = {torch.bfloat16: 110, torch.float32: 160}


@dataclass(frozen=True)
class Recommendation:
    """A configuration for the folder, with estimates: a step is not tried, only computed."""

    config: RunConfig
    pictures_per_s: float
    memory_gb: float
    num_training: int

    @property
    def network(self) -> TransformerConfig:
        assert isinstance(self.config.model.network, TransformerConfig)
        return self.config.model.network

    @property
    def minutes(self) -> float:
        """What showing NUM_SEEN pictures takes."""
        return NUM_SEEN / self.pictures_per_s / 60

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
        return [
            f"recipe {self.config.recipe}, {network.image_size_px} px, {colour}{text}",
            f"about {self.minutes:.0f} minutes on this machine for {NUM_SEEN:,} pictures "
            f"({self.pictures_per_s:.0f} a second; each picture {self.num_passes:,.0f} times)",
            f"about {self.memory_gb:.1f} GB of memory",
        ]


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
    rate, memory_gb = estimate(config)
    return Recommendation(config, rate, memory_gb, num_training)


def estimate(config: RunConfig) -> tuple[float, float]:
    """Pictures per second, and GB at most, of a training on this machine; takes a second or two.

    The time of a picture is that of its matrix products at the measured rate, and as much per
    value as the published rates leave for all else.
    """
    network = config.model.network
    assert isinstance(network, TransformerConfig)
    dtype = fastest_dtype()
    values = network.num_tokens * network.depth * network.width
    elementwise_s = _ELEMENTWISE_S * values / torch.get_num_threads()
    if not has_compiler():
        elementwise_s *= _UNCOMPILED
    product_s = training_flops_per_picture(network) / matrix_product_rate(dtype)
    with torch.device("meta"):
        num_parameters = sum(p.numel() for p in build_network(network).parameters())
    memory = _PROCESS_BYTES + _BYTES_PER_PARAMETER * num_parameters
    memory += config.training.batch_size * values * _BYTES_PER_VALUE[dtype]
    return 1 / (product_s + elementwise_s), memory / 1e9
