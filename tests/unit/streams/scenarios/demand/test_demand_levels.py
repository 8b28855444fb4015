"""Quantiles at other levels, and what a planner would order by."""

import numpy as np
import pytest

from headrace.arrays import DEMAND_QUANTILES
from streams.scenarios.demand.forecasting.fallback import _NORMAL
from streams.scenarios.demand.forecasting.levels import at_levels, mean_and_spread
from streams.scenarios.demand.stock import StockPolicy, advise

HOUR = 3_600_000


def normal(mean, deviation, windows=6):
    """A forecast with normal errors, the same for every window. [1, Z, Q]"""
    return np.tile(mean + deviation * _NORMAL, (1, windows, 1)).astype(np.float32)


def test_a_forecast_s_own_levels_come_back_and_others_lie_between():
    quantiles = np.arange(1.0, 10.0, dtype=np.float32)
    np.testing.assert_allclose(at_levels(quantiles, DEMAND_QUANTILES), quantiles)
    assert at_levels(quantiles, (0.2, 0.6)).tolist() == pytest.approx([2.5, 4.5])


def test_mean_and_spread_of_a_normal_forecast():
    mean, spread = mean_and_spread(normal(20, 4))
    np.testing.assert_allclose(mean, 20, rtol=0.01)
    np.testing.assert_allclose(spread, 4, rtol=0.01)


def test_advice_covers_the_lead_time_at_the_service_level():
    (advice,) = advise(normal(20, 4), StockPolicy(4 * HOUR, 0.95), HOUR)
    assert advice.expected == pytest.approx(80, rel=0.01)
    # Four windows whose errors correlate by a half: 4 * sqrt(0.5 * 4 + 0.5 * 16) = 12.6 units, 1.645 times.
    assert advice.safety_stock == pytest.approx(1.645 * 12.65, abs=3)
    assert advice.reorder_point == advice.safety_stock + int(advice.expected)
    assert advice.order_quantity == pytest.approx(120, abs=1)
    assert (advice.lead_time, advice.service_level) == (4 * HOUR, 0.95)


def test_a_higher_service_level_or_a_longer_lead_time_keeps_more():
    forecast = normal(20, 4)
    points = [
        advise(forecast, StockPolicy(lead, level), HOUR)[0].reorder_point
        for lead, level in ((HOUR // 2, 0.9), (HOUR, 0.9), (HOUR, 0.99), (20 * HOUR, 0.99))
    ]
    assert points == sorted(set(points))


def test_an_item_that_does_not_sell_needs_no_stock():
    (advice,) = advise(np.zeros((1, 4, 9), np.float32), StockPolicy(HOUR, 0.95), HOUR)
    assert (advice.reorder_point, advice.safety_stock, advice.order_quantity) == (0, 0, 0)
