"""Improved precision and recall (Kynkaanniemi et al. 2019, arXiv 1904.06991)."""

import torch
from torch import Tensor

NEIGHBOURS = 3


def precision_and_recall(real: Tensor, drawn: Tensor) -> tuple[float, float]:
    """(precision, recall) of features [N, D] of real and [M, D] of drawn samples.

    Around every sample lies a ball that reaches to its third nearest neighbour of its own set.
    Precision is the share of draws inside some ball of the real ones, recall that of real samples
    inside some ball of the draws.
    """
    between = torch.cdist(real, drawn)
    precision = (between <= _reach(real)[:, None]).any(dim=0)
    recall = (between <= _reach(drawn)[None, :]).any(dim=1)
    return float(precision.double().mean()), float(recall.double().mean())


def _reach(points: Tensor) -> Tensor:
    """Distance of each point to its third nearest neighbour, itself left out; [N]."""
    return torch.cdist(points, points).kthvalue(NEIGHBOURS + 1, dim=1).values
