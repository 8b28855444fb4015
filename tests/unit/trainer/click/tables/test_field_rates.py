"""Click rates of values, counted without the click that they are to predict."""

import numpy as np

from trainer.click.tables.field_rates import rates_after, rates_within

VALUE = np.random.default_rng(3).integers(0, 6, 500)
CLICKED = (np.random.default_rng(4).random(500) < 0.3).astype(np.float32)


def test_no_click_enters_its_own_rate():
    """Turning one label around, and another of the same stretch back, leaves that stretch's rates as they were."""
    on, off = np.flatnonzero(CLICKED[:100])[0], np.flatnonzero(CLICKED[:100] == 0)[0]
    turned = CLICKED.copy()
    turned[[on, off]] = 0, 1
    before, after = rates_within(VALUE, CLICKED), rates_within(VALUE, turned)
    assert np.array_equal(before[:100], after[:100])
    assert not np.array_equal(before[100:], after[100:])


def test_labels_that_nothing_explains_are_not_explained_by_rates():
    """Each value stands twice; a rate that saw its own click would tell which."""
    value = np.repeat(np.arange(2000), 2)
    clicked = (np.random.default_rng(5).random(4000) < 0.5).astype(np.float32)
    rate = rates_within(np.random.default_rng(6).permutation(value), clicked)[:, 0]
    assert abs(np.corrcoef(rate, clicked)[0, 1]) < 0.05


def test_later_rows_get_the_rate_over_all_of_training_and_a_new_value_the_average():
    rate = rates_after(np.zeros(1000, np.int64), np.ones(1000, np.float32), np.array([0, 7]))
    assert rate[0, 1] > 0
    assert rate[1].tolist() == [0.0, 0.0]


def test_a_value_that_is_clicked_more_has_the_higher_rate():
    value = np.arange(1000) % 2
    rate = rates_within(value, value.astype(np.float32))
    assert rate[value == 1, 0].min() > 1
    assert rate[value == 0, 0].max() < -1
