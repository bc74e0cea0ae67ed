"""How far two sets of pictures are apart, given the features of both as arrays [N, D].

Everything is computed in float64, and pairs in square tiles, so that the memory it takes beyond
the features does not grow with N^2.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagespace.errors import UserError

Features = NDArray[np.floating[Any]]

BALL_NEIGHBOURS = 3  # k of precision and recall
DENSITY_NEIGHBOURS = 5  # k of density and coverage
# A point also counts as inside a ball if its squared distance is too large by this share of the
# squared lengths: more than the float32 features of one picture differ by from batch to batch, and
# far less than those of two pictures do. So a copy is at distance 0, whatever the rounding.
SLACK = 1e-10
_TILE_ROWS = 1024
_TILE_NUMBERS = 2**22  # float64 features of one side of a tile: 32 MiB


@dataclass(frozen=True)
class Estimate:
    """A measured number and its standard error; `error` is None where none is known."""

    value: float
    error: float | None


@dataclass(frozen=True)
class Manifold:
    """Do the samples lie where real points lie, and are real points to be found among the samples?

    Around every point of a set lies the ball that just reaches its k-th nearest other of that set.

    precision: the share of samples inside some ball of a real point, k = 3
    recall:    the share of real points inside some ball of a sample, k = 3
    density:   the number of real points whose ball holds a sample, mean over the samples, over k;
               k = 5; 1 is expected where both sets come from one distribution, and it can exceed 1
    coverage:  the share of real points whose ball holds some sample, k = 5; with as many samples as
               real points, 1 - 2^-k is expected where both come from one distribution

    Kynkäänniemi et al. 2019, arXiv 1904.06991; Naeem et al. 2020, arXiv 2002.09797.
    """

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate


def kernel_distance(first: Features, second: Features, num_pairs: int = 0) -> Estimate:
    """Squared maximum mean discrepancy of features [N, D] and [M, D], known as KID.

    mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j), with
    k(x, y) = (x.y / D + 1)^3, over all pairs, not over subsets. Unbiased at any N and M, so for two
    sets of one distribution it is as well negative as positive (Gretton et al. 2012, JMLR 13;
    Binkowski et al. 2018, arXiv 1801.01401).

    Where x_i depends on y_i, as a sample does on the picture whose caption it was drawn for, the
    terms k(x_i, y_i) would make it too small by 2 (E k(x_i, y_i) - E k(x_i, y_j)) / max(N, M), the
    more the better captions are followed. The first `num_pairs` points of both sets are such pairs,
    and their own terms are left out of the last mean. With N = M = `num_pairs` that is the MMD_u^2
    of Gretton et al. 2012, eq. 4.

    The error is the jackknife over the points of both sets, a pair being one point (Efron 1981),
    exact, from the row sums of the kernel. In repeated draws of 40 cases (Gaussian and skewed
    features, D of 8 to 192, N of 200 to 2,000, no pairs) it was 0.93 to 1.17 times the true spread
    where the sets clearly differ, and 1.1 to 1.65 times where they hardly do: there, sqrt(2) too
    large by theory, so that a difference is claimed too seldom, not too often. In that case, one
    error differs from the next by 20 to 50 %. In 48 cases of pairs that share 0.3 to 0.95 of their
    variance (D of 8 to 128, N of 200 and 400) it was 0.93 to 1.14 and 1.18 to 1.61 times.

    UserError: fewer than three points, more pairs than points, features that are not finite, or
    different D.
    """
    needs = {"the kernel distance": max(3, num_pairs)}
    _check(("first", first, needs), ("second", second, needs))
    within_first, within_second = _sums_within(first), _sums_within(second)
    from_first, from_second = _sums_between(first, second)
    own = _kernel_of_pairs(first[:num_pairs], second[:num_pairs])
    from_first[:num_pairs] -= own
    from_second[:num_pairs] -= own
    n, m, p = len(first), len(second), num_pairs
    total_first, total_second, between = within_first.sum(), within_second.sum(), from_first.sum()
    mean_first, mean_second = total_first / (n * (n - 1)), total_second / (m * (m - 1))
    value = mean_first + mean_second - 2 * between / (n * m - p)
    # Without one point, its row and its column leave the sum over all pairs.
    rest_first = (total_first - 2 * within_first) / ((n - 1) * (n - 2))
    rest_second = (total_second - 2 * within_second) / ((m - 1) * (m - 2))
    without_first = rest_first + mean_second - 2 * (between - from_first) / ((n - 1) * m - p)
    without_second = mean_first + rest_second - 2 * (between - from_second) / (n * (m - 1) - p)
    between_others = between - from_first[:p] - from_second[:p]
    without_pair = rest_first[:p] + rest_second[:p]
    without_pair -= 2 * between_others / ((n - 1) * (m - 1) - (p - 1))
    groups = (without_pair, without_first[p:], without_second[p:])
    variance = sum(_jackknife_variance(group) for group in groups if len(group))
    return Estimate(float(value), math.sqrt(variance))


def frechet_distance(first: Features, second: Features) -> Estimate:
    """Squared Fréchet distance of the Gaussians fitted to features [N, D] and [M, D], known as FID.

    |m_1 - m_2|^2 + tr C_1 + tr C_2 - 2 tr (C_1^(1/2) C_2 C_1^(1/2))^(1/2), with covariances over
    N - 1, of any rank (Heusel et al. 2017, arXiv 1706.08500).

    It is biased upwards, by about 1 / N + 1 / M times a number that grows as D^2: two sets of one
    Gaussian with the variances c_i are (1/N + 1/M) (sum_i c_i + 1/2 sum_ij (1 + [i = j]) c_i c_j /
    (c_i + c_j)) apart. So compare distances of equal N and M only. The error says nothing of it.

    The error is the infinitesimal jackknife over the points of both sets (Efron 1981). In the draws
    named at the kernel distance it was 0.9 to 1.2 times the true spread where the sets clearly
    differ, and 1.1 to 1.6 times where they hardly do; of N < D, up to 2.2 times. A jackknife over
    ten blocks is as large and less certain; the bootstrap is larger still.

    UserError: fewer than two points, features that are not finite, or different D.
    """
    needs = {"the Fréchet distance": 2}
    _check(("first", first, needs), ("second", second, needs))
    mean_first, factor_first = _gaussian(first)
    mean_second, factor_second = _gaussian(second)
    shift = mean_first - mean_second
    # With C = F F^T, the trace of the root is the sum of the singular values of F_1^T F_2. They are
    # exact to rounding; of the root of an eigenvalue near 0, half of the digits would be.
    left, singular, right = torch.linalg.svd(factor_first.T @ factor_second, full_matrices=False)
    spreads = factor_first.square().sum() + factor_second.square().sum() - 2 * singular.sum()
    value = max(0.0, float(shift.square().sum() + spreads))
    root = singular.sqrt()
    variance = _influence_variance(first, mean_first, factor_first, shift, left * root)
    variance += _influence_variance(second, mean_second, factor_second, -shift, right.T * root)
    return Estimate(value, math.sqrt(variance))


def manifold(samples: Features, real: Features) -> Manifold:
    """Precision, recall, density and coverage of samples [N, D] against real points [M, D].

    A ball contains its border, and a point is no neighbour of itself, but a duplicate of it is one,
    at distance 0. So a point with k or more duplicates has a ball of radius 0, which holds only
    copies of that point; fewer duplicates make it smaller.

    The errors are those of fresh samples against the same real points, as two models compared on
    them need it: binomial for precision, of the mean for density, and the jackknife over the
    samples for recall and coverage, which are shares of the real points but vary with the samples
    (a binomial error was half of the true spread where the samples were few). In repeated draws
    they were 0.8 to 1.3 times the true spread (precision, density), 0.8 to 1.6 (recall) and 1.0 to
    1.9 (coverage, the largest where it is near 1). What other real points would change is left out:
    where there are ten times fewer of them than samples, it is several times these errors.

    UserError: fewer than 6 real points (precision needs 4) or than 4 samples, features that are not
    finite, or different D.
    """
    _check(
        ("samples", samples, {"recall": BALL_NEIGHBOURS + 1, "density": 2}),
        (
            "real",
            real,
            {
                "precision": BALL_NEIGHBOURS + 1,
                "density": DENSITY_NEIGHBOURS + 1,
                "coverage": DENSITY_NEIGHBOURS + 1,
            },
        ),
    )
    sample_ball = _squared_reach(samples, BALL_NEIGHBOURS)[:, -1]
    real_reach = _squared_reach(real, DENSITY_NEIGHBOURS)
    real_ball, wide_ball = real_reach[:, BALL_NEIGHBOURS - 1], real_reach[:, -1]
    precise = torch.zeros(len(samples), dtype=torch.bool)
    num_around = torch.zeros(len(samples), dtype=torch.int64)
    recalled, covered = _Found(len(real), len(samples)), _Found(len(real), len(samples))
    for rows, columns, squares in _squared_distances(real, samples, slack=SLACK):
        precise[columns] |= (squares <= real_ball[rows, None]).any(dim=0)
        recalled.add(rows, columns, squares <= sample_ball[columns])
        inside = squares <= wide_ball[rows, None]
        covered.add(rows, columns, inside)
        num_around[columns] += inside.sum(dim=0)
    density = num_around.double() / DENSITY_NEIGHBOURS
    return Manifold(
        precision=_share(precise),
        recall=recalled.share(),
        density=Estimate(float(density.mean()), float(density.std()) / len(samples) ** 0.5),
        coverage=covered.share(),
    )


def _jackknife_variance(without: Tensor) -> float:
    """(N - 1) / N sum_i (v_i - mean v)^2, where v_i [N] leaves out point i (Efron 1981)."""
    return (len(without) - 1) * float(without.var(correction=0))


def _sums_within(points: Features) -> Tensor:
    """sum_{j != i} k(x_i, x_j) of every i; [N]."""
    sums = torch.zeros(len(points), dtype=torch.float64)
    for rows, columns, products in _tiles(points, points, upper=True):
        kernel = _kernel(products, points.shape[1])
        if rows == columns:
            kernel.fill_diagonal_(0)
        else:
            sums[columns] += kernel.sum(dim=0)
        sums[rows] += kernel.sum(dim=1)
    return sums


def _sums_between(first: Features, second: Features) -> tuple[Tensor, Tensor]:
    """sum_j k(x_i, y_j) of every i, [N], and sum_i k(x_i, y_j) of every j, [M]."""
    from_first = torch.zeros(len(first), dtype=torch.float64)
    from_second = torch.zeros(len(second), dtype=torch.float64)
    for rows, columns, products in _tiles(first, second):
        kernel = _kernel(products, first.shape[1])
        from_first[rows] += kernel.sum(dim=1)
        from_second[columns] += kernel.sum(dim=0)
    return from_first, from_second


def _kernel_of_pairs(first: Features, second: Features) -> Tensor:
    """k(x_i, y_i) of every i; [N]."""
    products = torch.zeros(len(first), dtype=torch.float64)
    for (rows, x), (_, y) in zip(_blocks(first), _blocks(second), strict=True):
        products[rows] = (x * y).sum(dim=1)
    return _kernel(products, first.shape[1])


def _kernel(products: Tensor, num_features: int) -> Tensor:
    """(x.y / D + 1)^3 of products x.y, in place."""
    return products.div_(num_features).add_(1).pow_(3)


def _gaussian(points: Features) -> tuple[Tensor, Tensor]:
    """The mean [D], and F [D, rank] with orthogonal columns such that F F^T is the covariance."""
    mean = torch.zeros(points.shape[1], dtype=torch.float64)
    for _, block in _blocks(points):
        mean += block.sum(dim=0) / len(points)
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for _, block in _blocks(points):
        block -= mean
        covariance.addmm_(block.T, block, alpha=1 / (len(points) - 1))
    variances, axes = torch.linalg.eigh(covariance)
    # Rounding leaves a little variance where there is none, and the roots of little add up.
    kept = variances > variances[-1] * len(mean) * torch.finfo(torch.float64).eps
    return mean, axes[:, kept] * variances[kept].sqrt()


def _influence_variance(
    points: Features, mean: Tensor, factor: Tensor, shift: Tensor, turn: Tensor
) -> float:
    """What a set adds to the variance of the Fréchet distance, by the pull of each of its points.

    A point at x from the mean pulls by 2 x.shift + x.(I - A A^T) x, where A A^T is the linear map
    that carries this Gaussian to the other (Olkin and Pukelsheim 1982), and A = F^-T turn.
    """
    half_map = (factor / factor.square().sum(dim=0)) @ turn
    pulls = torch.empty(len(points), dtype=torch.float64)
    for rows, block in _blocks(points):
        block -= mean
        mapped = (block @ half_map).square().sum(dim=1)
        pulls[rows] = 2 * (block @ shift) + block.square().sum(dim=1) - mapped
    return float(pulls.var()) / len(points)


def _share(hits: Tensor) -> Estimate:
    """The share of hits [N] and its binomial error, the latter at (hits + 1) / (N + 2).

    At the share itself, no hit or only hits would look certain.
    """
    smoothed = (int(hits.sum()) + 1) / (len(hits) + 2)
    return Estimate(float(hits.double().mean()), math.sqrt(smoothed * (1 - smoothed) / len(hits)))


class _Found:
    """Which of N real points are found by any of M samples, added up tile by tile."""

    def __init__(self, num_real: int, num_samples: int) -> None:
        self.num_samples = num_samples
        self.num_finders = torch.zeros(num_real, dtype=torch.float64)
        self.finder_sum = torch.zeros(num_real, dtype=torch.float64)

    def add(self, rows: slice, columns: slice, found: Tensor) -> None:
        """Add a tile of which real points (rows) are found by which samples (columns)."""
        ones = found.double()
        self.num_finders[rows] += ones.sum(dim=1)
        self.finder_sum[rows] += ones @ torch.arange(columns.start, columns.stop).double()

    def share(self) -> Estimate:
        """The share of real points found; its error is the jackknife over the samples.

        Without a sample, the points that it alone finds are lost. No share of N points is known to
        better than 1 / N: none found, or all of them many times, would look certain.
        """
        num_real = len(self.num_finders)
        only_finder = self.finder_sum[self.num_finders == 1].long()
        lost = torch.bincount(only_finder, minlength=self.num_samples).double() / num_real
        error = math.sqrt(_jackknife_variance(lost))
        return Estimate(float((self.num_finders > 0).double().mean()), max(error, 1 / num_real))


def _squared_reach(points: Features, num_neighbours: int) -> Tensor:
    """Squared distances of each point to its nearest others, ascending; [N, num_neighbours]."""
    reach = torch.full((len(points), num_neighbours), torch.inf, dtype=torch.float64)
    for rows, columns, squares in _squared_distances(points, points, upper=True):
        pairs = [(rows, squares)]
        if rows == columns:
            squares.fill_diagonal_(torch.inf)
        else:
            pairs.append((columns, squares.T))
        for part, candidates in pairs:
            nearest = torch.cat([reach[part], candidates], dim=1)
            reach[part] = nearest.topk(num_neighbours, dim=1, largest=False).values
    return reach


def _squared_distances(
    first: Features, second: Features, slack: float = 0, upper: bool = False
) -> Iterator[tuple[slice, slice, Tensor]]:
    """|x - y|^2 - slack (|x|^2 + |y|^2) in tiles."""
    lengths = _squared_lengths(first) * (1 - slack), _squared_lengths(second) * (1 - slack)
    for rows, columns, products in _tiles(first, second, upper):
        squares = products.mul_(-2).add_(lengths[0][rows, None]).add_(lengths[1][columns])
        yield rows, columns, squares


def _squared_lengths(points: Features) -> Tensor:
    """|x|^2; [N]."""
    return torch.cat([block.square().sum(dim=1) for _, block in _blocks(points)])


def _tiles(
    first: Features, second: Features, upper: bool = False
) -> Iterator[tuple[slice, slice, Tensor]]:
    """x.y in tiles (rows, columns, products); `upper` leaves out those left of the diagonal."""
    for rows, left in _blocks(first):
        for columns, right in _blocks(second, rows.start if upper else 0):
            yield rows, columns, left @ right.T


def _blocks(points: Features, start: int = 0) -> Iterator[tuple[slice, Tensor]]:
    """The rows from `start` on, as float64 copies of a tile's height."""
    height = max(1, min(_TILE_ROWS, _TILE_NUMBERS // points.shape[1]))
    for begin in range(start, len(points), height):
        rows = slice(begin, min(begin + height, len(points)))
        yield rows, torch.from_numpy(np.array(points[rows], dtype=np.float64, order="C"))


def _check(*sets: tuple[str, Features, dict[str, int]]) -> None:
    """UserError unless every (name, features, points that each metric needs) can be used."""
    for name, points, needs in sets:
        if points.ndim != 2 or points.shape[1] == 0:
            raise UserError(
                f"{name} of shape {points.shape}",
                "features are arrays [N, D], one row a picture",
                "Give one vector of features for each picture.",
            )
        missing = {metric: num for metric, num in needs.items() if len(points) < num}
        if missing:
            raise UserError(
                f"{len(points)} points in {name}",
                " and ".join(f"{metric} needs {num}" for metric, num in missing.items()),
                "Give more pictures.",
            )
        if not np.isfinite(points).all():
            bad = ~np.isfinite(points).all(axis=1)
            raise UserError(
                f"{bad.sum()} of {len(points)} points in {name}, such as row {bad.argmax()}",
                "features must be finite, and these hold NaN or infinity",
                "Look for what made them so, such as a picture of one value or a diverged model.",
            )
    (first_name, first, _), (second_name, second, _) = sets
    if first.shape[1] != second.shape[1]:
        raise UserError(
            f"{first.shape[1]} features in {first_name} and {second.shape[1]} in {second_name}",
            "both sets must be described by the same features",
            "Compute the features of both with the same network.",
        )
