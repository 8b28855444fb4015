"""The last item is the test, the one before it validates, and neither is learnt from before its time."""

import numpy as np

from trainer.sequences.holdout import as_sequences, hold_out

TAKEN = [np.array(q) for q in ([1, 2, 3, 4], [5, 6, 7], [8, 9], [3])]


def rows(arrays: list[np.ndarray]) -> list[list[int]]:
    return [a.tolist() for a in arrays]


def test_strict_asks_for_the_item_before_the_last():
    fold = hold_out(TAKEN, 2)
    assert rows(fold.train) == [[1, 2], [5], [8], [3]]
    assert rows(fold.history) == [[1, 2], [5]]
    assert fold.target.tolist() == [3, 6]


def test_the_test_asks_for_the_last_item_with_all_before_it_known():
    fold = hold_out(TAKEN, 1)
    assert rows(fold.train) == [[1, 2, 3], [5, 6], [8], [3]]
    assert rows(fold.history) == [[1, 2, 3], [5, 6], [8]]
    assert fold.target.tolist() == [4, 7, 9]


def test_sequences_stand_one_after_the_other():
    sequences = as_sequences(hold_out(TAKEN, 1).train)
    assert sequences.item.tolist() == [1, 2, 3, 5, 6, 8, 3]
    assert sequences.start.tolist() == [0, 3, 5, 6, 7]
