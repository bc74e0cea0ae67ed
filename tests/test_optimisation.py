"""Muon, the average and the schedule against their closed forms."""

import pytest
import torch

from imagespace.training.budget import fraction_done, learning_rate_factor
from imagespace.training.config import TrainingConfig
from imagespace.training.ema import PowerEMA
from imagespace.training.muon import COEFFICIENTS, Muon, orthogonalise


@pytest.mark.parametrize("shape", [(8, 8), (8, 12), (8, 20), (20, 8)])
def test_orthogonalise_keeps_the_singular_vectors(shape):
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    for matrix in matrices:
        result = orthogonalise(matrix, torch.float32)
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
        new_values = left.mT @ result @ right.mT
        diagonal = new_values.diagonal()
        assert (new_values - diagonal.diag()).abs().max() < 1e-4
        well_conditioned = diagonal[values > 0.05 * values.max()]
        assert well_conditioned.min() > 0.6
        assert well_conditioned.max() < 1.3


def test_a_long_matrix_is_iterated_as_a_polynomial_of_its_gram_matrix():
    # Singular values down to a thousandth: what float32 leaves of their squares still suffices.
    torch.manual_seed(1)
    left = torch.linalg.qr(torch.randn(16, 16)).Q
    right = torch.linalg.qr(torch.randn(64, 16)).Q
    values = torch.logspace(-3, 0, 16)
    matrix = left @ values.diag() @ right.mT
    a, b, c = COEFFICIENTS
    expected = values.double() / (values.double().norm() + 1e-7)
    for _ in range(5):
        expected = a * expected + b * expected**3 + c * expected**5
    got = (left.mT @ orthogonalise(matrix, torch.float32) @ right).diagonal()
    torch.testing.assert_close(got.double(), expected, atol=1e-3, rtol=0)


def test_stacked_maps_are_orthogonalised_apart():
    torch.manual_seed(0)
    qkv, apart = torch.randn(12, 4), torch.randn(12, 4)
    gradient = torch.randn(12, 4)
    apart.copy_(qkv)
    whole = torch.nn.Parameter(qkv.clone())
    parts = [torch.nn.Parameter(part.clone()) for part in apart.split(4)]
    whole.grad = gradient.clone()
    for part, piece in zip(parts, gradient.split(4), strict=True):
        part.grad = piece.clone()
    Muon([whole], 0.1, 0.0, torch.float32).step()
    Muon(parts, 0.1, 0.0, torch.float32).step()
    torch.testing.assert_close(whole.detach(), torch.cat([p.detach() for p in parts]))
    # The step has AdamW's size: root mean square 0.2 of the learning rate.
    assert (whole.detach() - qkv).square().mean().sqrt() == pytest.approx(0.02, rel=0.2)


def test_momentum_and_decay():
    weight = torch.nn.Parameter(torch.eye(4))
    optimizer = Muon([weight], 0.1, 0.5, torch.float32)
    weight.grad = torch.zeros(4, 4)
    optimizer.step()
    torch.testing.assert_close(weight.detach(), torch.eye(4) * 0.95)


def test_average_weighs_step_k_as_k_to_the_gamma():
    network = torch.nn.Linear(1, 1, bias=False)
    gamma, steps = 3.0, 50
    ema = PowerEMA(network, gamma)
    values = torch.randn(steps, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for step, value in enumerate(values, start=1):
        with torch.no_grad():
            network.weight.fill_(float(value))
        ema.update(network, step)
    # beta_k = (1 - 1/k)^(gamma+1) telescopes to weights (k^(g+1) - (k-1)^(g+1)) / n^(g+1).
    k = torch.arange(1, steps + 1, dtype=torch.float64)
    weights = (k ** (gamma + 1) - (k - 1) ** (gamma + 1)) / steps ** (gamma + 1)
    assert float(ema.weights["weight"]) == pytest.approx(float((weights * values).sum()), rel=1e-4)


def test_learning_rate_ends_with_the_budget():
    config = TrainingConfig(budget_images=1280, batch_size=128, warmup_steps=2, decay_fraction=0.5)
    fractions = [fraction_done(config, step, 0.0) for step in range(11)]
    assert fractions == [i / 10 for i in range(11)]
    factors = [learning_rate_factor(config, s, f) for s, f in enumerate(fractions)]
    assert factors[:6] == [0.5, 1, 1, 1, 1, 1]
    assert factors[6:] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0])
    timed = TrainingConfig(budget_minutes=10)
    assert fraction_done(timed, 5, 300.0) == 0.5
    assert fraction_done(timed, 5, 900.0) == 1.0


def test_a_run_of_few_steps_is_not_spent_on_the_warm_up():
    config = TrainingConfig(budget_minutes=2, warmup_steps=200, decay_fraction=0.5)
    factors = [learning_rate_factor(config, step, step / 40) for step in range(40)]
    assert factors[:4] == pytest.approx([1 / 200, 0.5, 1.0, 1.0])
    assert factors[20:] == pytest.approx([2 - step / 20 for step in range(20, 40)])
    # Of many steps, the twentieth is later: a warm-up by steps.
    assert learning_rate_factor(config, 99, 0.01) == 0.5


def test_a_run_has_exactly_one_budget():
    for budgets in ({}, {"budget_images": 5, "budget_minutes": 1.0}):
        with pytest.raises(ValueError, match="exactly one"):
            TrainingConfig(**budgets)
