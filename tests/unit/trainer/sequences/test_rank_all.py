"""Every item is ranked; what was taken up before is neither listed nor found."""

import numpy as np

from trainer.evaluation.lists.beyond_accuracy import NOTHING
from trainer.sequences.ranking import popularity_scores, rank_all


def scores(histories: list[np.ndarray]) -> np.ndarray:
    return np.tile(np.array([5.0, 4.0, 3.0, 2.0], np.float32), (len(histories), 1))


def test_the_history_is_out_of_the_race():
    ranked = rank_all(scores, [np.array([0]), np.array([], np.int64)], np.array([2, 2]))
    assert ranked.rank.tolist() == [2, 3]
    assert ranked.listed[0, :4].tolist() == [1, 2, 3, NOTHING]
    assert ranked.listed[1, :5].tolist() == [0, 1, 2, 3, NOTHING]


def test_an_item_taken_up_before_is_never_found_again():
    assert rank_all(scores, [np.array([0, 2])], np.array([2])).rank.tolist() == [4]


def test_a_tie_is_lost():
    flat = rank_all(lambda some: np.ones((len(some), 9), np.float32), [np.array([1])], np.array([4]))
    assert flat.rank.tolist() == [8]


def test_popularity_counts_what_may_be_learnt_from():
    ranked = rank_all(popularity_scores([np.array([2, 2, 1]), np.array([2])], 4), [np.array([3])], np.array([1]))
    assert ranked.rank.tolist() == [2]
    assert ranked.listed[0, 0] == 2
