"""The lab's measures of walks, against closed forms."""

import math

import numpy as np
import pytest
import torch

from imagespace.diffusion.denoiser import Denoiser
from imagespace.diffusion.exact import ExactGaussian, ExactMixture
from imagespace.diffusion.likelihood import random_signs
from imagespace.diffusion.samplers import DDIM, Heun
from imagespace.diffusion.schedule import RectifiedFlow
from imagespace.diffusion.spacing import step_times
from imagespace.lab.agreement import agreement_by_chance, pair_agreement
from imagespace.lab.ascent import ascent
from imagespace.lab.box_filter import box_filtered
from imagespace.lab.climbing import flow_divergence, growth_rate
from imagespace.lab.closest_cluster import class_posterior, compare, nearest_is_end, nearness
from imagespace.lab.decision import crossing
from imagespace.lab.guidance import diversity, relative_slope
from imagespace.lab.ink import grey_share, ink_share, overshoot_share
from imagespace.lab.newness import nearest_distance
from imagespace.lab.pinch_of_noise import mode_shares_and_spread
from imagespace.lab.standard_errors import bootstrap_error, mean_and_error, share_and_error
from imagespace.lab.straightness import angles_to_chord, path_excess
from imagespace.lab.walks import all_steps, rms
from imagespace.pipeline import from_pixels
from imagespace.points import gaussian_centres
from imagespace.randomness import generator

FLOW = RectifiedFlow()


def normal_cdf(x: float) -> float:
    return 0.5 * (1 + math.erf(x / 2**0.5))


def test_on_a_circle_the_nearest_of_equal_clusters_is_always_the_end():
    x_1 = torch.randn(500, 2, generator=generator(0, "test"))
    assert nearest_is_end(FLOW, gaussian_centres(8), x_1).mean() > 0.995


def test_on_a_grid_noise_is_shared_out_by_quantiles_and_not_by_nearness():
    # Each axis is a flow of its own and keeps its order: the k-th fifth of the noise ends in the
    # k-th column, while the column's own neighbourhood ends half way to the next one.
    wrong = 2 * sum(
        normal_cdf(edge) - normal_cdf(half_way)
        for edge, half_way in ((0.253347, 0.225), (0.841621, 0.675))
    )
    x_1 = torch.randn(20_000, 2, generator=generator(1, "test"))
    measured = nearest_is_end(FLOW, gaussian_centres(25), x_1).mean()
    assert measured == pytest.approx((1 - wrong) ** 2, abs=0.012)  # 4 binomial errors


def test_compare_orders_pictures_as_their_distances_do():
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (40, 4, 4, 1), dtype=np.uint8)
    classes = torch.from_numpy(random.integers(-1, 3, 40))
    points = torch.randn(5, 16, generator=generator(0, "test"))
    compared = compare(points, pixels, classes, 3)
    flat = from_pixels(pixels).flatten(1)
    for scale in (0.3, 1.0):
        near = nearness(compared.products, compared.norms, scale)
        distance = torch.cdist(points, scale * flat)
        assert torch.equal(near.argsort(dim=1, descending=True), distance.argsort(dim=1))
    means = torch.stack([flat[classes == number].mean(dim=0) for number in range(3)])
    torch.testing.assert_close(compared.class_products, points @ means.T)
    torch.testing.assert_close(compared.class_norms, means.square().sum(dim=1))
    torch.testing.assert_close(compared.mean, flat.mean(dim=0))


def test_class_posterior_adds_the_pictures_of_a_class_and_leaves_out_those_of_none():
    logits = torch.tensor([[1.0, 2.0, 3.0, 4.0]]).log()
    posterior = class_posterior(logits, torch.tensor([0, 1, 0, -1]), 2)
    torch.testing.assert_close(posterior, torch.tensor([[0.4, 0.2]]))


def test_agreement_by_chance():
    first, second = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])
    assert agreement_by_chance(first, second, 3) == pytest.approx((2 * 1 + 1 * 3) / 16)
    assert pair_agreement(np.array([5, 5, 5, 7])) == pytest.approx(3 / 6)


def test_path_excess_of_a_straight_line_and_of_a_right_angle():
    corner = [torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]])]
    assert float(path_excess(corner)) == pytest.approx(1 - 2**0.5 / 2)
    line = [torch.tensor([[0.0, t]]) for t in (0.0, 0.2, 1.0)]
    assert float(path_excess(line)) == pytest.approx(0, abs=1e-6)


def test_the_flow_to_a_single_point_is_straight():
    point = ExactGaussian(FLOW, torch.tensor([0.3, -0.8], dtype=torch.float64), 0.0)
    x_1 = torch.randn(20, 2, generator=generator(2, "test"), dtype=torch.float64)
    steps = all_steps(point, x_1, step_times(10, FLOW), DDIM())
    # A float64 cosine of 1 - 1e-16 is an angle of 1e-8 degrees; scales above 1e-4 are exact.
    assert float(angles_to_chord(steps, FLOW).max()) < 1e-4
    torch.testing.assert_close(steps[-1].x_next, point.means.expand(20, 2))


class LinearDenoiser(Denoiser):
    """x0_hat = A x: the trace of its derivative is that of A."""

    def __init__(self, matrix: torch.Tensor) -> None:
        self.schedule, self.matrix = FLOW, matrix

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return x_t @ self.matrix.T


def test_the_divergence_of_a_linear_field_is_its_trace():
    matrix = torch.diag(torch.tensor([0.2, 0.5, -0.1], dtype=torch.float64))
    x_t = torch.randn(4, 3, generator=generator(3, "test"), dtype=torch.float64)
    probes = random_signs((2, 4, 3), generator(4, "test")).double()
    t = 0.4
    # v = (x - x0_hat) / t, so div v = (d - tr A) / t; signs are exact for a diagonal matrix.
    measured = flow_divergence(LinearDenoiser(matrix), x_t, t, probes)
    torch.testing.assert_close(measured, torch.full((2, 4), (3 - 0.6) / t, dtype=torch.float64))
    assert growth_rate(FLOW, t) == pytest.approx(1 / t)


def test_the_slope_of_log_density_along_the_flow_is_the_divergence():
    centres = gaussian_centres(8).double()
    mixture = ExactMixture(FLOW, centres, torch.full((8,), 0.3, dtype=torch.float64))
    x_t = torch.randn(6, 2, generator=generator(5, "test"), dtype=torch.float64)
    t, h = 0.5, 1e-3
    (step,) = all_steps(mixture, x_t, [t + h, t - h], Heun())
    rise = mixture.log_density(step.x_next, torch.tensor(t - h, dtype=torch.float64))
    rise = rise - mixture.log_density(x_t, torch.tensor(t + h, dtype=torch.float64))
    middle = (x_t + step.x_next) / 2
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)  # their mean is the trace
    probes = signs[:, None].expand(2, 6, 2)
    divergence = flow_divergence(mixture, middle, t, probes).mean(dim=0)
    torch.testing.assert_close(rise / (2 * h), divergence, rtol=1e-3, atol=1e-3)


def test_ascent_climbs_at_every_step_and_ends_on_the_peak():
    gaussian = ExactGaussian(FLOW, torch.tensor([0.5, -0.5], dtype=torch.float64), 0.05)
    x = torch.randn(30, 2, generator=generator(6, "test"), dtype=torch.float64)
    t = 0.2
    points = ascent(gaussian, x, t, 0.5, 60)
    time = torch.tensor(t, dtype=torch.float64)
    heights = torch.stack([gaussian.log_density(point, time) for point in points])
    assert (heights.diff(dim=0) > -1e-12).all()
    # One step of size 1/2 leaves 1 - sigma^2 / (2 v) of the way to alpha mean, v the variance.
    left = 1 - 0.5 * t**2 / (t**2 + (0.8 * 0.05) ** 2)
    peak = 0.8 * gaussian.means[0]
    torch.testing.assert_close(points[1] - peak, left * (x - peak))
    torch.testing.assert_close(points[-1], peak.expand(30, 2), atol=1e-8, rtol=0)


def test_mode_shares_and_spread():
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0]])
    points = torch.tensor([[0.3, 0.0], [0.0, -0.4], [10.0, 0.5], [0.0, 0.0]])
    shares, spread = mode_shares_and_spread(points, centres)
    torch.testing.assert_close(shares, torch.tensor([0.75, 0.25]))
    assert spread == pytest.approx(((0.09 + 0.16 + 0.25) / 8) ** 0.5)


def test_crossing_interpolates_as_time_falls():
    times, values = (1.0, 0.8, 0.4), (0.0, 0.25, 0.75)
    assert crossing(times, values, 0.5) == pytest.approx(0.6)
    assert crossing(times, values, -1) == 1.0
    assert crossing(times, values, 0.9) == 0.4


def test_diversity_is_the_mean_distance_within_each_group():
    points = torch.tensor([[0.0, 0.0], [5.0, 5.0], [0.0, 2.0], [5.0, 5.0], [4.0, 0.0]])
    groups = np.array([0, 1, 0, 1, 0])
    expected = (2 + 4 + 20**0.5) / 3 / 2**0.5
    np.testing.assert_allclose(diversity(points, groups), [expected, 0], atol=1e-6)


def test_relative_slope_of_a_line_in_log2_w():
    weights = (1.0, 2.0, 8.0)
    spreads = [np.array([3.0, 5.0]) - drop * np.array([0.3, 0.5]) for drop in (0, 1, 3)]
    slope, error = relative_slope(spreads, weights)
    assert slope == pytest.approx(-0.4 / 4)
    assert error == pytest.approx(0.2 / 2 / 4)  # two groups, 0.3 and 0.5: half their difference


def test_ink_grey_and_overshoot():
    x = torch.tensor([[[[-1.0, 1.0], [0.0, 1.2]]]])
    assert float(ink_share(x)) == pytest.approx((1 + 0 + 0.5 + 0) / 4)
    assert float(grey_share(x)) == pytest.approx(1 / 4)
    assert float(overshoot_share(x)) == pytest.approx(1 / 4)


def test_nearest_distance_is_exact_across_chunks():
    random = np.random.default_rng(1)
    training = random.integers(0, 256, (2100, 3, 2, 1), dtype=np.uint8)
    samples = random.integers(0, 256, (7, 3, 2, 1), dtype=np.uint8)
    samples[0] = training[2099]
    gaps = (samples[:, None].astype(float) - training[None]) / 255
    expected = np.sqrt((gaps**2).mean(axis=(2, 3, 4)).min(axis=1))
    np.testing.assert_allclose(nearest_distance(samples, training).numpy(), expected, atol=1e-6)
    assert float(nearest_distance(samples, training)[0]) == 0


def test_box_filter_is_the_mean_of_each_block():
    pixels = np.random.default_rng(2).integers(0, 256, (1030, 4, 4, 1), dtype=np.uint8)
    blocks = pixels.reshape(1030, 2, 2, 2, 2, 1).mean(axis=(2, 4))
    np.testing.assert_allclose(box_filtered(pixels, 2), blocks, atol=0.5)
    with pytest.raises(ValueError, match="no multiple"):
        box_filtered(pixels, 3)


def test_standard_errors():
    share, error = share_and_error([True] * 30 + [False] * 70)
    assert share == 0.3
    assert error == pytest.approx((0.3 * 0.7 / 100) ** 0.5, rel=0.02)
    assert share_and_error([True] * 8)[1] > 0.05  # eight of eight is not certainty
    values = np.random.default_rng(3).normal(size=400)
    mean, error = mean_and_error(values)
    again = bootstrap_error(lambda rows: float(values[rows].mean()), 400, generator(7, "test"))
    assert mean == pytest.approx(values.mean())
    assert again == pytest.approx(error, rel=0.12)  # 400 draws know it to 4 %


def test_rms():
    torch.testing.assert_close(rms(torch.tensor([[3.0, 4.0]])), torch.tensor([12.5**0.5]))
