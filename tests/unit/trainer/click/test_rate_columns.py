"""Which rates are columns, and that what shoppers meet is among them."""

import numpy as np

from trainer.click.rate_columns import RateColumns

SIZES = np.array([40, 30, 4, 3])


def rows(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Each shopper likes one of the three pages; everything else is chance."""
    rng = np.random.default_rng(seed)
    category = np.stack([rng.integers(0, size, 3000) for size in SIZES], axis=1)
    likes = category[:, 3] == category[:, 0] % 3
    return category, (rng.random(3000) < np.where(likes, 0.8, 0.1)).astype(np.float32)


def test_what_a_shopper_likes_of_a_small_field_is_a_column():
    category, clicked = rows(1)
    columns = RateColumns(SIZES, category, clicked)
    later, then = rows(2)
    for found, label in ((columns.within(), clicked), (columns.after(later), then)):
        best = max(abs(np.corrcoef(found[:, place], label)[0, 1]) for place in range(0, found.shape[1], 2))
        assert best > 0.5


def test_a_pair_that_training_never_showed_has_the_average_rate():
    category, clicked = rows(1)
    category[:, 0] = np.maximum(category[:, 0], 1)
    later = category[:1].copy()
    later[0, 0] = 0
    found = RateColumns(SIZES, category, clicked).after(later)
    assert found[0, 0] == found[0, 1] == 0


def test_training_and_later_rows_have_the_same_columns():
    category, clicked = rows(1)
    columns = RateColumns(SIZES, category, clicked)
    assert columns.within().shape[1] == columns.after(category[:7]).shape[1]
