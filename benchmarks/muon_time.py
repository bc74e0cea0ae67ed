"""Time of Muon's orthogonalisation: one batched product of equal matrices against ours, paired.

    python benchmarks/muon_time.py [--width 384] [--depth 3] [--threads 2]

Shapes are those of a network's blocks: attention's four square maps and the two of the feed-forward
layer.
"""

import argparse
import statistics
import time

import torch
from torch import Tensor

from imagespace.training.muon import COEFFICIENTS, orthogonalise


def batched(matrices: Tensor) -> Tensor:
    """Newton-Schulz on a stack [N, R, C] with R <= C, as Muon is usually written."""
    a, b, c = COEFFICIENTS
    x = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def seconds(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    width, depth = arguments.width, arguments.depth
    hidden = 64 * round(width * 8 / 3 / 64)
    totals: list[list[float]] = []
    for count, columns in ((4 * depth, width), (depth, 2 * hidden), (depth, hidden)):
        stack = torch.randn(count, width, columns, generator=torch.Generator().manual_seed(0))
        pairs = []
        for _ in range(6):  # the first warms up
            pairs.append(
                (
                    seconds(lambda s=stack: batched(s)),
                    seconds(lambda s=stack: [orthogonalise(m, torch.float32) for m in s]),
                )
            )
        ours = [orthogonalise(matrix, torch.float32) for matrix in stack]
        difference = (batched(stack) - torch.stack(ours)).abs().max().item()
        old, new = (statistics.median(times) for times in zip(*pairs[1:], strict=True))
        totals.append([old, new])
        print(
            f"{count:3} of {width} x {columns:5}: batched {1e3 * old:6.1f} ms, ours "
            f"{1e3 * new:6.1f} ms, {old / new:.2f} times as fast; differ by {difference:.0e}"
        )
    old, new = (sum(column) for column in zip(*totals, strict=True))
    print(f"together: {1e3 * old:.0f} ms, {1e3 * new:.0f} ms: {old / new:.2f} times as fast")


if __name__ == "__main__":
    main()
