"""Tails of forecast counts."""

import math

import numpy as np
import pytest

from headrace.arrays import DEMAND_SPAN
from streams.scenarios.demand.alerts.anomaly import (
    Moments,
    all_windows,
    expected_counts,
    interval,
    one_window,
    tail_above,
    tail_below,
)


def poisson_below(count, mean):
    return sum(math.exp(-mean + k * math.log(mean) - math.lgamma(k + 1)) for k in range(count + 1))


@pytest.mark.parametrize(("mean", "count"), [(0.5, 3), (3.0, 0), (20.0, 35)])
def test_without_spare_variance_the_tails_are_a_poisson_counts(mean, count):
    moments = Moments(mean, mean)
    assert tail_below(count, moments) == pytest.approx(poisson_below(count, mean), rel=1e-6)
    assert tail_above(count + 1, moments) == pytest.approx(1 - poisson_below(count, mean), rel=1e-4)


def test_the_two_tails_share_the_probability():
    moments = Moments(7.0, 15.0)
    for count in range(1, 30):
        assert tail_above(count, moments) + tail_below(count - 1, moments) == pytest.approx(1)


def test_large_counts_join_the_small_ones_without_a_step():
    just_below, just_above = Moments(399.0, 900.0), Moments(401.0, 900.0)
    assert tail_below(360, just_below) == pytest.approx(tail_below(362, just_above), rel=0.1)


def test_more_doubt_is_less_surprise():
    assert tail_above(12, Moments(4, 16)) > tail_above(12, Moments(4, 4))


def test_an_interval_lies_around_its_mean_and_leaves_one_percent_on_each_side():
    for mean in (0.02, 0.5, 4.0, 60.0, 3_000.0):
        moments = expected_counts(mean)
        lower, upper = interval(moments)
        assert lower <= mean <= upper
        assert tail_above(upper + 1, moments) <= 0.01
        assert lower == 0 or tail_below(lower - 1, moments) < 0.01


def test_quantiles_of_a_count_give_back_its_mean():
    quantiles = np.tile(np.array([2, 5, 7.5, 9, 11, 12.5, 14, 16, 18], np.float32), (1, DEMAND_SPAN, 1))
    one, span = one_window(quantiles)[0], all_windows(quantiles)[0]
    assert one.mean == pytest.approx(9.3, abs=0.3)
    assert span.mean == pytest.approx(DEMAND_SPAN * one.mean)
    assert span.variance > DEMAND_SPAN * one.variance


def test_a_forecast_of_nothing_still_admits_a_sale():
    moments = one_window(np.zeros((1, DEMAND_SPAN, 9), np.float32))[0]
    assert tail_above(1, moments) > 1e-3


def test_the_interval_of_a_huge_count_is_found_without_counting_up_to_it():
    lower, upper = interval(expected_counts(1e9))
    assert 0 < lower < 1e9 < upper
    assert tail_below(lower - 1, expected_counts(1e9)) < 0.01 <= tail_below(lower, expected_counts(1e9))
