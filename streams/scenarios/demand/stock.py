"""Stock advice from a forecast: how much to keep, when to order, how much."""

from math import ceil
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np

from headrace.arrays import Floats
from headrace.messages.outputs import StockAdvice
from streams.scenarios.demand.forecasting.levels import Doubles, mean_and_spread
from streams.scenarios.demand.rounding import mean_units

_TOGETHER: Final = 0.5
"""Correlation of neighbouring windows' forecast errors."""
_LEAST_SHAPE: Final = 1e-3


class StockPolicy(NamedTuple):
    """How long an order takes, ms, and how surely stock shall last until it comes."""

    lead_time: int
    service_level: float


def advise(quantiles: Floats, policy: StockPolicy, window_ms: int) -> list[StockAdvice]:
    """Advice for each forecast. quantiles [G, Z, Q]

    Demand over the lead time is taken as gamma distributed (its cube root as normal: Wilson and Hilferty 1931); beyond
    the forecast's last window its mean rate is taken to go on.
    """
    mean, spread = mean_and_spread(quantiles)
    windows = policy.lead_time / window_ms
    expected = _over(mean, windows)
    deviation = np.sqrt((1 - _TOGETHER) * _over(spread**2, windows) + _TOGETHER * _over(spread, windows) ** 2)
    reorder = np.maximum(_quantile(expected, deviation, policy.service_level), expected)
    order = mean.sum(1)
    return [
        _advice(policy, mean_units(e), ceil(point), ceil(quantity))
        for e, point, quantity in zip(expected.tolist(), reorder.tolist(), order.tolist(), strict=True)
    ]


def _advice(policy: StockPolicy, expected: float, reorder_point: int, quantity: int) -> StockAdvice:
    """Advice whose safety stock and expected demand, in whole units as they are told, make up the reorder point."""
    safety_stock = reorder_point - int(expected)
    return StockAdvice(policy.lead_time, policy.service_level, expected, safety_stock, reorder_point, quantity)


def _over(per_window: Doubles, windows: float) -> Doubles:
    """Sum over the first `windows` windows, a part of one counting in part. [G, Z] to [G]"""
    horizon = per_window.shape[1]
    share = np.clip(windows - np.arange(horizon), 0, 1)
    beyond = max(windows - horizon, 0)
    return per_window @ share + per_window.mean(1) * beyond


def _quantile(mean: Doubles, deviation: Doubles, level: float) -> Doubles:
    shape = np.maximum((mean / np.maximum(deviation, 1e-9)) ** 2, _LEAST_SHAPE)
    root = 1 - 1 / (9 * shape) + NormalDist().inv_cdf(level) / (3 * np.sqrt(shape))
    return mean * np.maximum(root, 0) ** 3
