"""A measured number carries the right standard error."""

import numpy as np
import pytest

from imagespace.evaluation.measured import mean, median, share


def test_share_of_hits():
    found = share([True] * 30 + [False] * 70)
    assert found["value"] == pytest.approx(0.3)
    assert found["error"] == pytest.approx((0.3 * 0.7 / 100) ** 0.5)
    assert found["num"] == 100
    low, high = found["interval"]
    assert low < 0.3 < high


def test_errors_are_the_spread_over_repeated_samples():
    random = np.random.default_rng(0)
    draws = random.exponential(size=(400, 200))
    for measure, truth in ((mean, draws.mean(axis=1)), (median, np.median(draws, axis=1))):
        claimed = np.median([measure(row)["error"] for row in draws[:100]])
        assert claimed == pytest.approx(truth.std(), rel=0.15)


def test_one_value_has_no_known_error():
    assert mean([2.0]) == {"value": 2.0, "error": None, "num": 1}
