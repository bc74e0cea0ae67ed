"""The measuring functions of the lab against closed forms."""

import math

import numpy as np
import pytest
import torch

from imagespace.diffusion.exact import ExactGaussian, ExactPictures
from imagespace.diffusion.schedule import RectifiedFlow
from imagespace.lab.adversarial import mode_report
from imagespace.lab.blur import gaussian_blur
from imagespace.lab.clusters import PairOrder, distances, nearest_agreement, structure_by_ink
from imagespace.lab.coin import heads_and_strays
from imagespace.lab.destruction import half_time, squared_distances
from imagespace.lab.emptiness import exponent_of_share, right_order, shuffled
from imagespace.lab.gan import Gan, GanConfig, point_networks
from imagespace.lab.gaussian import divergence, gaussian_divergence
from imagespace.lab.precision_recall import precision_and_recall
from imagespace.lab.size import number_of_pictures
from imagespace.points import GAUSSIANS_STD, gaussian_centres, gaussians_25


def test_pictures_are_counted_exactly():
    assert number_of_pictures(1920, 1080, 3) == (6_220_800, 14_981_179)
    assert number_of_pictures(5, 4, 3, levels=10) == (60, 60)
    for levels in (2, 256):
        _, exponent = number_of_pictures(28, 28, 1, levels)
        assert 10**exponent <= levels**784 < 10 ** (exponent + 1)


def test_blur_multiplies_a_wave_by_the_gaussian_of_its_frequency():
    # A Gaussian of std s damps a wave of period P by exp(-2 pi^2 s^2 / P^2).
    x = torch.cos(2 * math.pi * torch.arange(64, dtype=torch.float64) / 16).expand(1, 1, 64, 64)
    blurred = gaussian_blur(x, 2.0)[0, 0, 32, 16:48]
    assert torch.allclose(blurred, x[0, 0, 32, 16:48] * math.exp(-(math.pi**2) / 32), atol=3e-3)


def test_order_of_pairs_is_a_known_probability():
    # Points 0, 1 | 10, 12 on a line: pairs of a class are 1 and 2 apart, the rest 9 or more.
    matrix = distances(torch.tensor([[0.0], [1.0], [10.0], [12.0]]))
    classes = np.array([0, 0, 1, 1])
    assert PairOrder(matrix, classes).auc(np.ones(4)) == 1
    assert nearest_agreement(matrix, classes)[::2] == (1, pytest.approx(1 / 3))
    # 0 and 10 against 1 and 12: within 10, 11; apart 1, 12, 9, 2: of 8 comparisons 2 are won.
    crossed = PairOrder(matrix, np.array([0, 1, 0, 1]))
    assert crossed.auc(np.ones(4)) == pytest.approx(2 / 8)
    # Without the second point: within 10; apart 12 and 2: half. Weights count as copies.
    assert crossed.auc(np.array([1.0, 0.0, 1.0, 1.0])) == pytest.approx(1 / 2)
    assert crossed.auc(np.array([2.0, 0.0, 2.0, 2.0])) == pytest.approx(1 / 2)


def test_gaussian_classes_are_told_apart_as_often_as_theory_says():
    # Means m apart on a line: P(|A| < |B|) for A ~ N(0, 2), B ~ N(m, 2). A - B and A + B are
    # independent and must differ in sign: P = Phi(m/2)^2 + Phi(-m/2)^2.
    random = torch.Generator().manual_seed(0)
    m = 2.0
    labels = torch.randint(2, (1500,), generator=random)
    x = torch.randn(1500, 1, generator=random) + m * labels[:, None]
    order = PairOrder(distances(x), labels.numpy())
    phi = 0.5 * (1 + math.erf(m / 2 / math.sqrt(2)))
    assert order.auc(np.ones(1500)) == pytest.approx(1 - 2 * phi * (1 - phi), abs=0.02)


def test_structure_is_told_by_the_gap():
    pixels = np.full((4, 20, 20, 1), 255, np.uint8)
    pixels[0, :, 2:9] = pixels[0, :, 11:18] = 0  # left and right
    pixels[1, 2:9] = pixels[1, 11:18] = 0  # top and bottom
    pixels[2, 2:18, 2:18] = 0  # one block
    pixels[3, 2:9, 2:9] = pixels[3, 11:18, 11:18] = 0  # both gaps
    assert structure_by_ink(pixels).tolist() == [0, 1, -1, -1]


def test_divergence_on_a_grid_is_the_closed_form():
    schedule, t = RectifiedFlow(), torch.tensor(0.0)
    grid = torch.linspace(-6, 6, 801)[:, None]
    log_p, log_q = (
        ExactGaussian(schedule, torch.tensor([mean]), std).log_density(grid, t)
        for mean, std in ((0.3, 0.5), (0.1, 0.7))
    )
    expected = math.log(0.7 / 0.5) + (0.25 + 0.04) / (2 * 0.49) - 0.5
    assert gaussian_divergence(0.3, 0.5, 0.1, 0.7) == pytest.approx(expected)
    assert divergence(log_p, log_q, 12 / 800) == pytest.approx(expected, abs=1e-4)


def test_heads_and_strays():
    x = torch.tensor([[1.1], [0.9], [-1.0], [0.75], [-1.21]])
    assert heads_and_strays(x) == pytest.approx((0.6, 0.4))


def test_half_time_is_where_the_line_crosses():
    times = np.array([0.0, 0.5, 1.0])
    assert half_time(times, np.array([0.8, 0.6, 0.0])) == pytest.approx(0.5 + 0.5 / 3)
    assert half_time(times, np.array([0.8, 0.8, 0.8])) == 1.0


def test_archivist_is_exact_bayes():
    random = torch.Generator().manual_seed(1)
    pictures = torch.randn(50, 1, 4, 4, generator=random)
    schedule, t = RectifiedFlow(), torch.tensor(0.8)
    x_t = schedule.add_noise(pictures, torch.randn(pictures.shape, generator=random), t)
    ours = squared_distances(x_t.flatten(1), pictures.flatten(1), float(schedule.alpha(t)))
    exact = ExactPictures(schedule, pictures).component(x_t, t)
    assert torch.equal(ours.argmin(dim=1), exact)
    assert 0.05 < float((exact == torch.arange(50)).double().mean()) < 0.95  # no trivial case


def test_volume_bound_is_tight_for_half_of_the_levels():
    # Pictures of 128 of the 256 levels cost 7 bits and are a share 2^-d of the space.
    assert exponent_of_share(7.0, 1000) == pytest.approx(-1000 * math.log10(2))
    assert exponent_of_share(9.0, 1000) == 0
    assert right_order(np.array([1.0, 3.0]), np.array([2.0, 4.0])) == pytest.approx(3 / 4)


def test_shuffled_pictures_keep_their_values():
    x = torch.arange(32.0).reshape(2, 1, 4, 4)
    moved = shuffled(x, torch.Generator().manual_seed(0))
    assert torch.equal(moved.flatten(1).sort(dim=1).values, x.flatten(1))
    assert not torch.equal(moved, x)


def test_mode_report_of_the_truth_and_of_a_collapse():
    centres = gaussian_centres(25)
    truth = mode_report(
        gaussians_25(40_000, torch.Generator().manual_seed(0)), centres, GAUSSIANS_STD
    )
    assert truth["modes_covered"] == 25
    assert truth["good_share"] == pytest.approx(1 - math.exp(-4.5), abs=0.003)
    assert truth["balance"] == pytest.approx(24 / 80_000, abs=4e-4)  # (K - 1) / 2N by chance
    collapsed = mode_report(centres[:5].repeat(100, 1), centres, GAUSSIANS_STD)
    assert collapsed == pytest.approx(
        {"modes_covered": 5, "good_share": 1, "balance": math.log(5)}, abs=1e-6
    )


def test_gan_learns_where_one_gaussian_lies():
    random = torch.Generator().manual_seed(0)
    points = torch.tensor([0.5, -0.3]) + 0.1 * torch.randn(2000, 2, generator=random)
    gan = Gan(GanConfig(width=32, depth=2), lambda c: point_networks(c, 2), seed=0)
    gan.train(points, 50_000)
    draws = gan.sample(2000, random)
    assert draws.mean(dim=0).tolist() == pytest.approx([0.5, -0.3], abs=0.05)
    assert float(draws.std(dim=0).max()) < 0.2


def test_precision_and_recall_count_what_is_covered():
    """Two far clusters: draws that copy one cover half of the data, and are all good."""
    random = torch.Generator().manual_seed(0)
    left, right = torch.randn(2, 400, 3, generator=random)
    data = torch.cat([left, right + 100])
    fresh = torch.randn(400, 3, generator=random)
    precision, recall = precision_and_recall(data, fresh)
    assert precision > 0.9
    assert recall == pytest.approx(0.5, abs=0.05)
    junk = torch.cat([fresh[:200], torch.full((200, 3), 50.0) + fresh[200:]])
    precision, recall = precision_and_recall(data, junk)
    assert precision == pytest.approx(0.5, abs=0.05)
    assert precision_and_recall(data, data) == (1, 1)
    assert precision_and_recall(left, right + 100) == (0, 0)
