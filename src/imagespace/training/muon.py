"""Muon: momentum whose matrices are orthogonalised before they are applied.

Keller Jordan et al. 2024 (github.com/KellerJordan/Muon), with the update scaled as in arXiv
2502.16982 so that it shares AdamW's learning-rate range. Equal shapes are stacked into one batched
product, and the precision is the caller's: `torch.optim.Muon` always computes in bfloat16, which
processors without it emulate a hundred times slower.
"""

from collections import defaultdict

import torch
from torch import Tensor

# Quintic whose iterates push every singular value towards 1 (Jordan's coefficients).
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: Tensor, dtype: torch.dtype, num_iterations: int = 5) -> Tensor:
    """Approximate U V^T of each matrix [N, R, C] = U S V^T by Newton-Schulz iterations."""
    a, b, c = COEFFICIENTS
    wide = matrices.shape[1] <= matrices.shape[2]
    x: Tensor = (matrices if wide else matrices.mT).to(dtype)
    x = x / (x.float().norm(dim=(1, 2), keepdim=True) + 1e-7).to(dtype)
    for _ in range(num_iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.mT).float()


class Muon(torch.optim.Optimizer):
    """For 2-D weights [R, C]; a stack of k square maps [k C, C], such as QKV, counts as k.

    A convolution [O, I, H, W] is the matrix [O, I H W].
    """

    def __init__(
        self,
        parameters: list[Tensor],
        learning_rate: float,
        weight_decay: float,
        dtype: torch.dtype,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(parameters, {"lr": learning_rate})
        self.weight_decay, self.momentum, self.dtype = weight_decay, momentum, dtype

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            pieces: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(weight)
                buffer = state["momentum"].lerp_(weight.grad, 1 - self.momentum)
                update = weight.grad.lerp(buffer, self.momentum)  # Nesterov
                weight.mul_(1 - group["lr"] * self.weight_decay)
                matrix, update = weight.view(len(weight), -1), update.view(len(weight), -1)
                rows, columns = matrix.shape
                height = columns if rows % columns == 0 else rows
                for part, target in zip(update.split(height), matrix.split(height), strict=True):
                    pieces[part.shape].append((part, target))
            for shape, pairs in pieces.items():
                directions = orthogonalise(torch.stack([part for part, _ in pairs]), self.dtype)
                # An orthogonal R x C matrix has RMS max(R, C)^-1/2: bring it to AdamW's 0.2.
                scale = 0.2 * max(shape) ** 0.5
                for (_, target), direction in zip(pairs, directions, strict=True):
                    target.sub_(direction, alpha=group["lr"] * scale)
