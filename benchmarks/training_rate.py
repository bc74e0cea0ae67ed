"""How much of the machine the training uses: model FLOP/s against the measured matrix products.

    python benchmarks/training_rate.py [--size 6] [--batch-size 64] [--seconds 20] [--out FILE]

In one run: the ceilings (square float32 and bfloat16 products), then whole training steps (forward,
backward, Muon + AdamW, average) of the same network: eager float32, and as `imagespace train` runs
it. Also what the two departures from torch's defaults bring: attention as two products against the
fused CPU kernel, the allocator that keeps freed memory, and the network's matrix products alone at
their own shapes: the share of the ceiling that no arrangement of the other work could exceed.
"""

import argparse
import json
import platform
import resource
import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F

from imagespace.checkpoints import ModelConfig
from imagespace.networks.transformer import TransformerConfig, training_flops_per_picture
from imagespace.precision import fastest_dtype, has_compiler, matrix_product_rate
from imagespace.training.allocator import keep_freed_memory
from imagespace.training.config import RunConfig, TrainingConfig
from imagespace.training.loop import TrainingState


def pictures_per_second(
    config: RunConfig, dtype: torch.dtype, compiled: bool, seconds: float
) -> float:
    """Rate of whole training steps on random pictures, after two that warm up."""
    state = TrainingState(config, dtype, compiled)
    network, size = config.model.network, config.training.batch_size
    x_0 = torch.rand(size, network.num_channels, network.image_size_px, network.image_size_px)
    text = torch.randn(size, network.max_text_tokens, network.text_width)
    for _ in range(2):
        state.update(x_0, (text,), 1.0)
    count, start = 0, time.perf_counter()
    while count < 3 or time.perf_counter() - start < seconds:
        state.update(x_0, (text,), 1.0)
        count += 1
    return count * size / (time.perf_counter() - start)


def milliseconds(call: Callable[[], object], repeats: int = 5) -> float:
    """The fastest of a few calls, after one that warms up."""
    call()
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return 1000 * best


def attention_times(config: TransformerConfig, batch: int, dtype: torch.dtype) -> dict[str, float]:
    """Forward and backward of one layer's attention in ms: torch's fused kernel, two products."""
    shape = (batch, config.num_heads, config.num_tokens, config.width // config.num_heads)
    query, key, value = (torch.randn(shape, dtype=dtype, requires_grad=True) for _ in range(3))

    def fused() -> None:
        F.scaled_dot_product_attention(query, key, value).sum().backward()

    def products() -> None:
        weights = (query @ key.mT).float().softmax(dim=3).to(dtype)
        (weights @ value).sum().backward()

    return {"fused_ms": milliseconds(fused), "two_products_ms": milliseconds(products)}


def products_alone(config: TransformerConfig, batch: int, dtype: torch.dtype) -> float:
    """Seconds of one step's products (forward, both gradients) and nothing else, cache-warm."""
    hidden = 64 * round(config.width * 8 / 3 / 64)
    patch_values = config.num_channels * config.patch_size_px**2
    rows, width = batch * config.num_tokens, config.width
    shapes = [(width, 3 * width), (width, width), (width, 2 * hidden), (hidden, width)]
    layers = [(rows, *shape, config.depth) for shape in shapes]
    picture_rows = batch * config.num_patches
    layers += [(picture_rows, patch_values, width, 1), (picture_rows, width, patch_values, 1)]
    total = 0.0
    for num_rows, num_in, num_out, repeats in layers:
        x = torch.randn(num_rows, num_in, dtype=dtype)
        weight = torch.randn(num_out, num_in, dtype=dtype)
        gradient = torch.randn(num_rows, num_out, dtype=dtype)
        calls = [partial(torch.mm, x, weight.T), partial(torch.mm, gradient, weight)]
        calls.append(partial(torch.mm, gradient.T, x))
        total += repeats * sum(milliseconds(call) for call in calls) / 1000
    heads = batch * config.num_heads
    query = torch.randn(heads, config.num_tokens, width // config.num_heads, dtype=dtype)
    weights = torch.randn(heads, config.num_tokens, config.num_tokens, dtype=dtype)
    inner = milliseconds(partial(torch.bmm, query, query.mT))  # scores, and two like it backward
    outer = milliseconds(partial(torch.bmm, weights, query))  # mixing, and its like backward
    return total + config.depth * (2 * inner + 4 * outer) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--out")
    arguments = parser.parse_args()

    network = TransformerConfig.sized(arguments.size)
    training = TrainingConfig(budget_minutes=1, batch_size=arguments.batch_size)
    config = RunConfig(recipe="benchmark", model=ModelConfig(network=network), training=training)
    flops = training_flops_per_picture(network)
    dtype = fastest_dtype()
    ceilings = {
        str(d).removeprefix("torch."): matrix_product_rate(d, size=2048, seconds=2)
        for d in (torch.float32, torch.bfloat16)
    }
    default = pictures_per_second(config, dtype, has_compiler(), arguments.seconds)
    keep_freed_memory()
    ours = pictures_per_second(config, dtype, has_compiler(), arguments.seconds)
    eager = pictures_per_second(config, torch.float32, False, arguments.seconds)
    alone = arguments.batch_size * flops / products_alone(network, arguments.batch_size, dtype)
    report = {
        "machine": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
        "size": arguments.size,
        "batch_size": arguments.batch_size,
        "gflop_per_picture": flops / 1e9,
        "ceiling_gflops": {name: rate / 1e9 for name, rate in ceilings.items()},
        "arithmetic": str(dtype).removeprefix("torch."),
        "pictures_per_second": {
            "imagespace": ours,
            "without the allocator setting": default,
            "eager float32": eager,
        },
        "model_gflops": ours * flops / 1e9,
        "share_of_bfloat16_ceiling": ours * flops / ceilings["bfloat16"],
        "share_of_best_ceiling": ours * flops / max(ceilings.values()),
        "products_alone_share_of_bfloat16_ceiling": alone / ceilings["bfloat16"],
        "times_eager_float32": ours / eager,
        "attention": attention_times(network, arguments.batch_size, dtype),
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    text = json.dumps(report, indent=1)
    print(text)
    if arguments.out:
        with open(arguments.out, "w") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
