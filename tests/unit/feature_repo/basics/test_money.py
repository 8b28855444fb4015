"""Money is exact to a millionth of its unit, and a sum is the same in whatever order it is made."""

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.basics import money
from headrace.messages.events import MOST

prices = (
    st.none() | st.decimals(0, MOST, places=6).map(float) | st.sampled_from([0.0042, 1e-6, 4e-7, 19.99, float(MOST)])
)
sales = st.lists(st.tuples(prices, st.sampled_from([1, 2, 3, 1_000, MOST])), max_size=12)


def total(sold: list[tuple[float | None, int]]) -> tuple[int, int]:
    found = 0, 0
    for price, quantity in sold:
        found = money.plus(*found, money.held(price), quantity)
    return found


@pytest.mark.parametrize(
    ("price", "held", "units"),
    [
        (None, -1, 0.0),
        (0.0, 0, 0.0),
        (19.99, 1_999, 19.99),
        (0.0042, -4_201, 0.0042),
        (19.995, -19_995_001, 19.995),
        (float(MOST), MOST * 100, float(MOST)),
        (1e-6, -2, 1e-6),
        (4e-7, 0, 0.0),
    ],
)
def test_a_price_is_held_to_a_millionth(price, held, units):
    assert money.held(price) == held
    assert money.units(held) == units
    assert money.is_paid(held) == (units > 0)
    assert money.hundredths(held) == (-1 if price is None else pytest.approx(units * 100, rel=1e-15))


def test_a_thousand_times_a_price_below_a_hundredth_is_no_zero():
    assert total([(0.0042, 1_000)]) == (420, 0)
    assert total([(0.0042, 1)] * 3) == (1, 2_600)
    assert money.hundredths_of(1, 2_600) == 1.26


@given(sales, st.randoms(use_true_random=False))
def test_the_order_of_sales_leaves_no_trace(sold, random):
    expected = total(sold)
    random.shuffle(sold)
    assert total(sold) == expected


@given(sales)
def test_a_sum_is_exact_until_it_is_full(sold):
    exact = sum(
        (Fraction(round(Decimal(repr(price)), 6)) * quantity for price, quantity in sold if price is not None),
        Fraction(),
    )
    whole, rest = total(sold)
    assert 0 <= rest < 10_000
    assert (whole, rest) == ((money.MOST, 0) if exact * 100 >= money.MOST else divmod(int(exact * 1_000_000), 10_000))


def test_a_higher_price_is_never_held_as_a_lower_one():
    rising = [money.units(money.held(n / 10_000_000)) for n in range(0, 500_000, 77)]
    assert all(a <= b for a, b in pairwise(rising))
