"""Columns become categories and numbers, whatever stands in them."""

import numpy as np
import pytest

from trainer.click.tables.fields import UNKNOWN, Categories, Numbers, clock_unit, is_numeric, moments, numbers_of
from trainer.data.click_table import Column


def column(*cells: str) -> Column:
    values = sorted(set(cells))
    return Column.of(np.array([values.index(cell) for cell in cells], np.int32), values)


def test_a_rare_value_and_a_new_one_are_the_unknown_category():
    categories = Categories.of(column("a", "a", "b", "b", "rare"), least=2)
    assert categories.encode(column("b", "rare", "new", "a", "a")).tolist() == [2, UNKNOWN, UNKNOWN, 1, 1]


def test_numbers_are_told_from_names_even_with_missing_and_broken_cells():
    numbers = [str(n / 7) for n in range(60)]
    assert is_numeric(column(*numbers, "", "n/a", "oops"))
    assert not is_numeric(column(*numbers, *[f"name-{n}" for n in range(10)]))
    assert not is_numeric(column(*["1", "2", "3"] * 20))


def test_a_number_beyond_training_counts_as_the_outermost_and_none_as_nothing():
    numbers = Numbers.of(np.arange(100.0))
    bins, dense = numbers.encode(np.array([-1e30, 0.0, 1e30, 99.0, np.nan]))
    assert bins[0] == bins[1] != bins[2] == bins[3] < len(numbers)
    assert bins[4] == UNKNOWN
    assert np.array_equal(dense[0], dense[1])
    assert np.array_equal(dense[2], dense[3])
    assert dense[4].tolist() == [0.0, 0.0]


def test_a_single_outlier_moves_no_other_number():
    plain, spoilt = (Numbers.of(np.append(np.arange(1000.0), last)) for last in (1000.0, 1e12))
    at = np.array([10.0, 500.0])
    assert plain.encode(at)[1][:, 0] == pytest.approx(spoilt.encode(at)[1][:, 0], abs=0.01)


def test_infinite_and_broken_cells_are_no_numbers():
    assert np.isnan(numbers_of(column("inf", "nan", "twelve", ""))).all()


def test_times_give_hour_and_weekday():
    thursday = numbers_of(column("1970-01-01T13:59:00", "", "2020-02-02 00:00:00"))
    hour, day = moments(thursday, 1)
    assert hour.tolist() == [14, 0, 1]
    assert day.tolist() == [1, 0, 4]
    assert clock_unit(np.array([1.6e9, np.nan, 1.7e9])) == 1
    assert clock_unit(np.array([1.6e12, 1.7e12])) == 1000
    assert clock_unit(np.array([18.0, 99.0])) is None
