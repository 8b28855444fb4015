"""Units as a planner reads them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headrace.arrays import DEMAND_QUANTILES
from headrace.messages.outputs import ForecastWindow, ModelRef, StockAdvice
from streams.scenarios.demand import outputs
from streams.scenarios.demand.rounding import chance_of_any, in_units, mean_units

HOUR = 3_600_000


def quantiles_of_poisson(rate):
    counts = np.random.default_rng(0).poisson(rate, 200_000)
    return np.quantile(counts, DEMAND_QUANTILES).astype(np.float32)


def test_units_have_a_decimal_below_ten_and_none_above():
    amounts = np.array([0.0001, 0.04, 0.26, 3.14159, 9.96, 10.49, 1234.5678])
    assert in_units(amounts).tolist() == [0.0, 0.0, 0.3, 3.1, 10.0, 10.0, 1235.0]


@given(arrays(np.float64, 5, elements=st.floats(0, 1e6)))
def test_what_is_ordered_stays_ordered(amounts):
    assert (np.diff(in_units(np.sort(amounts))) >= 0).all()


@pytest.mark.parametrize(("mean", "shown"), [(0.0213, 0.02), (0.999, 1.0), (4.26, 4.3), (9.97, 10.0), (151.6, 152.0)])
def test_a_mean_says_how_seldom_something_sells(mean, shown):
    assert mean_units(mean) == shown


@pytest.mark.parametrize("rate", [0.3, 1.0, 2.0])
def test_a_chance_is_that_of_one_unit_or_more(rate):
    assert chance_of_any(quantiles_of_poisson(rate)) == pytest.approx(1 - np.exp(-rate), abs=0.1)


def test_what_never_sells_has_no_chance():
    assert chance_of_any(np.zeros((2, 9), np.float32)).tolist() == [0.0, 0.0]


def test_a_chance_is_told_where_every_quantile_is_less_than_one():
    origin = outputs.Origin(ModelRef("m", "1"), None, HOUR, ("0.1", "0.9"), HOUR)
    made = outputs.forecast(
        "tea", 5, [[0.0, 0.4], [0.0, 1.0]], [0.25, 0.5], StockAdvice(HOUR, 0.9, 0.5, 1, 1, 1), origin
    )
    assert made.windows == [
        ForecastWindow(5 * HOUR, 6 * HOUR, {"0.1": 0.0, "0.9": 0.4}, 0.25),
        ForecastWindow(6 * HOUR, 7 * HOUR, {"0.1": 0.0, "0.9": 1.0}),
    ]
