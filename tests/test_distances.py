"""Distances between sets of features: closed forms, brute force, and errors that mean something."""

import numpy as np
import pytest

from imagespace.errors import UserError
from imagespace.evaluation.distances import (
    frechet_distance,
    kernel_distance,
    manifold,
)


def normal(num: int, width: int, seed: int, shift: float = 0.0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(num, width))
    drawn[:, 0] += shift
    return drawn.astype(np.float32)


def paired(num: int, width: int, seed: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of one distribution, whose points i share this part of their variance."""
    common, one, other = np.random.default_rng(seed).normal(size=(3, num, width))
    both = [share**0.5 * common + (1 - share) ** 0.5 * own for own in (one, other)]
    return both[0].astype(np.float32), both[1].astype(np.float32)


def brute_kernel_distance(first: np.ndarray, second: np.ndarray, num_pairs: int = 0) -> float:
    """The U-statistic by explicit loops."""

    def k(x: np.ndarray, y: np.ndarray) -> float:
        return float((x.astype(float) @ y.astype(float) / len(x) + 1) ** 3)

    n, m = len(first), len(second)
    own = sum(k(first[i], first[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    others = sum(k(second[i], second[j]) for i in range(m) for j in range(m) if i != j)
    between = [(i, j) for i in range(n) for j in range(m) if not (i == j < num_pairs)]
    cross = sum(k(first[i], second[j]) for i, j in between) / len(between)
    return own + others / (m * (m - 1)) - 2 * cross


def test_kernel_distance_is_the_double_sum():
    first, second = normal(9, 4, 0), normal(7, 4, 1, shift=1)
    measured = kernel_distance(first, second)
    assert measured.value == pytest.approx(brute_kernel_distance(first, second), rel=1e-9)


def test_its_error_is_the_jackknife():
    first, second = normal(8, 3, 0), normal(6, 3, 1, shift=1)
    variance = 0.0
    without = [brute_kernel_distance(np.delete(first, i, 0), second) for i in range(8)]
    variance += 7 / 8 * np.sum((without - np.mean(without)) ** 2)
    without = [brute_kernel_distance(first, np.delete(second, j, 0)) for j in range(6)]
    variance += 5 / 6 * np.sum((without - np.mean(without)) ** 2)
    assert kernel_distance(first, second).error == pytest.approx(variance**0.5, rel=1e-7)


@pytest.mark.parametrize(("num_first", "num_second"), [(7, 7), (5, 9), (8, 6)])
def test_the_own_terms_of_pairs_are_left_out_and_a_pair_is_one_point(num_first, num_second):
    first, second = normal(num_first, 3, 0), normal(num_second, 3, 1, shift=1)
    p = 5
    measured = kernel_distance(first, second, num_pairs=p)
    expected = brute_kernel_distance(first, second, p)
    assert measured.value == pytest.approx(expected, rel=1e-9)
    pairs = [
        brute_kernel_distance(np.delete(first, i, 0), np.delete(second, i, 0), p - 1)
        for i in range(p)
    ]
    firsts = [brute_kernel_distance(np.delete(first, i, 0), second, p) for i in range(p, num_first)]
    seconds = [
        brute_kernel_distance(first, np.delete(second, i, 0), p) for i in range(p, num_second)
    ]
    variance = sum((len(w) - 1) * np.var(w) for w in (pairs, firsts, seconds) if w)
    assert measured.error == pytest.approx(variance**0.5, rel=1e-7)


@pytest.mark.parametrize("share", [0.5, 0.9, 1.0])
def test_pairs_of_one_distribution_are_zero_apart(share):
    """Faithful samples are no better than real pictures: with the own terms they would seem so."""
    draws = [paired(60, 8, seed, share) for seed in range(150)]
    for num_pairs, is_unbiased in ((60, True), (0, False)):
        values = np.array([kernel_distance(*draw, num_pairs=num_pairs).value for draw in draws])
        error = values.std() / len(values) ** 0.5
        if is_unbiased:
            assert abs(values.mean()) <= 3 * error + 1e-12
        else:
            # E k(x_i, y_j) = 1 + 3 / 8, and E k(x_i, y_i) is larger: E x.y / 8 = share.
            assert values.mean() < -8 * error


def test_the_error_of_pairs_is_the_spread_of_repeats():
    repeats = []
    for seed in range(100):
        first, second = paired(80, 8, seed, 0.7)
        repeats.append(kernel_distance(first, second + np.float32(0.7), num_pairs=80))
    spread = np.std([estimate.value for estimate in repeats])
    assert 0.75 < np.mean([estimate.error for estimate in repeats]) / spread < 1.35


def test_kernel_distance_is_unbiased_and_its_error_calibrated():
    same = [kernel_distance(normal(60, 8, s), normal(50, 8, 1000 + s)) for s in range(120)]
    values = np.array([estimate.value for estimate in same])
    assert abs(values.mean()) < 3 * values.std() / len(values) ** 0.5
    apart = [kernel_distance(normal(60, 8, s), normal(50, 8, 1000 + s, 1.5)) for s in range(120)]
    values = np.array([estimate.value for estimate in apart])
    assert values.mean() > 5 * values.std() / len(values) ** 0.5
    claimed = np.mean([estimate.error for estimate in apart])
    assert 0.8 < claimed / values.std() < 1.3


def test_many_tiles_give_what_one_gives():
    first, second = normal(2300, 3, 0), normal(1100, 3, 1, shift=0.5)
    x, y = first.astype(float), second.astype(float)
    own, others, cross = ((a @ b.T / 3 + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    n, m = len(x), len(y)
    expected = (own.sum() - np.trace(own)) / (n * (n - 1)) - 2 * cross.mean()
    expected += (others.sum() - np.trace(others)) / (m * (m - 1))
    assert kernel_distance(first, second).value == pytest.approx(expected, rel=1e-8)
    own = np.einsum("ij,ij->i", x[:1050], y[:1050]) / 3 + 1
    left_out = (cross.sum() - (own**3).sum()) / (n * m - 1050)
    paired_value = kernel_distance(first, second, num_pairs=1050).value
    assert paired_value == pytest.approx(expected + 2 * cross.mean() - 2 * left_out, rel=1e-8)


def with_moments(mean: np.ndarray, covariance: np.ndarray, num: int, seed: int) -> np.ndarray:
    """Points whose sample mean and sample covariance are exactly these."""
    x = np.random.default_rng(seed).normal(size=(num, len(mean)))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    values, axes = np.linalg.eigh(covariance)
    return x @ (axes * np.sqrt(values.clip(0))).T + mean


@pytest.mark.parametrize("rank", [3, 2])
def test_frechet_distance_of_gaussians(rank):
    random = np.random.default_rng(rank)
    a, b = random.normal(size=(2, 3, 3))
    a[:, rank:] = 0  # rank-deficient for 2, and the two covariances do not commute
    first, second = a @ a.T, b @ b.T
    shift = np.array([1.0, -2.0, 0.5])
    # tr sqrt(first second): the sum of the roots of its eigenvalues, which are real and >= 0.
    roots = np.sqrt(np.linalg.eigvals(first @ second).real.clip(0)).sum()
    expected = shift @ shift + np.trace(first) + np.trace(second) - 2 * roots
    measured = frechet_distance(
        with_moments(shift, first, 400, 0), with_moments(np.zeros(3), second, 300, 1)
    )
    assert measured.value == pytest.approx(expected, rel=1e-6)


def test_frechet_error_is_the_spread_of_repeats():
    repeats = [frechet_distance(normal(300, 4, s, 1.0), normal(300, 4, 500 + s)) for s in range(60)]
    spread = np.std([estimate.value for estimate in repeats])
    assert 0.75 < np.mean([estimate.error for estimate in repeats]) / spread < 1.3


def test_a_set_is_no_distance_from_itself():
    points = normal(200, 6, 0)
    assert frechet_distance(points, points).value == pytest.approx(0, abs=1e-9)
    found = manifold(points, points)
    assert found.precision.value == found.recall.value == found.coverage.value == 1


def line(*places: float) -> np.ndarray:
    return np.array(places, dtype=np.float32)[:, None]


def test_manifold_worked_out_by_hand():
    real = line(0, 1, 2, 3, 4, 5, 6, 7)
    # Distance to the third nearest other: 3 2 2 2 2 2 2 3; to the fifth: 5 4 3 3 3 3 4 5.
    samples = line(9.5, 9.9, 20, 21, 22, 40)
    # 9.5 lies in the ball of 7 (radius 3, from 4 to 10); so does 9.9.
    found = manifold(samples, real)
    assert found.precision.value == pytest.approx(2 / 6)
    # Wide balls: 7 reaches 12, 6 reaches 10, 5 reaches 8: each of the two lies in two of them.
    assert found.density.value == pytest.approx(4 / 5 / 6)
    assert found.coverage.value == pytest.approx(2 / 8)
    # The third nearest of 9.5 and of 9.9 are 11.5 and 11.1 away: all real points lie within.
    assert found.recall.value == 1


def test_disjoint_sets_share_nothing():
    found = manifold(normal(100, 4, 0), normal(100, 4, 1, shift=100))
    assert found.precision.value == found.recall.value == 0
    assert found.density.value == found.coverage.value == 0


def test_coverage_of_the_same_distribution():
    # Naeem et al. 2020, eq. 9: 1 - (2M - 1) ... / ... tends to 1 - 2^-k for equally many points.
    values = [
        manifold(normal(300, 16, s), normal(300, 16, 100 + s)).coverage.value for s in range(8)
    ]
    assert np.mean(values) == pytest.approx(1 - 2**-5, abs=0.01)


def test_dropped_modes_lower_recall_and_coverage_alone():
    real = np.concatenate([normal(200, 4, 0), normal(200, 4, 1, shift=30)])
    one_mode = normal(400, 4, 2)
    both = np.concatenate([normal(200, 4, 3), normal(200, 4, 4, shift=30)])
    dropped, kept = manifold(one_mode, real), manifold(both, real)
    assert dropped.precision.value > 0.9 * kept.precision.value
    assert dropped.recall.value < 0.6 * kept.recall.value
    assert dropped.coverage.value < 0.6 * kept.coverage.value


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (normal(2, 4, 0), "2 points in"),
        (np.full((9, 4), np.nan, np.float32), "NaN"),
        (normal(9, 5, 0), "5 features"),
    ],
)
def test_what_cannot_be_measured_is_said(first, said):
    with pytest.raises(UserError, match=said):
        kernel_distance(first, normal(9, 4, 1))


def test_more_pairs_than_points_are_refused():
    with pytest.raises(UserError, match="7 points in second: the kernel distance needs 8"):
        kernel_distance(normal(9, 4, 0), normal(7, 4, 1), num_pairs=8)
