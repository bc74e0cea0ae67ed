"""Muon: momentum whose matrices are orthogonalised before they are applied.

Keller Jordan et al. 2024 (github.com/KellerJordan/Muon), with the update scaled as in arXiv
2502.16982 so that it shares AdamW's learning-rate range. The precision is the caller's:
`torch.optim.Muon` always computes in bfloat16, which processors without it emulate a hundred times
slower. One product a matrix, as batched products are slower on a processor
(benchmarks/muon_time.py).
"""

import torch
from torch import Tensor

# Quintic whose iterates push every singular value towards 1 (Jordan's coefficients).
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrix: Tensor, dtype: torch.dtype, num_iterations: int = 5) -> Tensor:
    """Approximate U V^T of a matrix [R, C] = U S V^T by Newton-Schulz iterations.

    X <- a X + (b G + c G^2) X with G = X X^T. Each X_k is P_k X_0 with P_k a polynomial in G_0, so
    a long matrix iterates the square P_k and G_k alone and meets X_0 once, at the end. That takes
    float32: in bfloat16 the squared singular values of G fall under the rounding.
    """
    a, b, c = COEFFICIENTS
    wide = matrix.shape[0] <= matrix.shape[1]
    x: Tensor = (matrix if wide else matrix.mT).to(dtype)
    x = x / (x.float().norm() + 1e-7).to(dtype)
    if dtype == torch.float32 and x.shape[1] >= 2 * x.shape[0]:
        gram, product = x @ x.mT, None
        for iteration in range(num_iterations):
            factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
            factor.diagonal().add_(a)
            product = factor if product is None else factor @ product
            if iteration < num_iterations - 1:
                gram = factor @ gram @ factor
        x = x if product is None else product @ x
    else:
        for _ in range(num_iterations):
            gram = x @ x.mT
            x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
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
                # An orthogonal R x C matrix has RMS max(R, C)^-1/2: bring it to AdamW's 0.2.
                step_size = group["lr"] * 0.2 * max(height, columns) ** 0.5
                for part, target in zip(update.split(height), matrix.split(height), strict=True):
                    target.sub_(orthogonalise(part, self.dtype), alpha=step_size)
