"""The baselines on streams so small that what they must answer can be told."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.basics.identity import NO_ITEM
from trainer.data.score_requests import Case
from trainer.data.shop import Sequences
from trainer.evaluation.baselines.co_visitation import CoVisitation
from trainer.evaluation.baselines.item_knn import ItemKnn
from trainer.evaluation.baselines.neighbours import strongest, with_diagonal, with_scaled_diagonal
from trainer.evaluation.baselines.personal import Personal
from trainer.evaluation.baselines.popularity import Popularity
from trainer.evaluation.baselines.tuning import CONTESTANTS, Contestant, best_items, draw, tune
from trainer.evaluation.baselines.visits import DAY_MS, Recency, histories, incidence, visit_of, wanted_before

BUY, RETURN = ACTION_CODE["purchase"], ACTION_CODE["return"]
HASHES = np.arange(100, 106)
END = 1_000 * DAY_MS


def sequences(*shoppers: list[tuple[int, float]], action: int = BUY) -> Sequences:
    """Shoppers as lists of (item, day)."""
    flat = [event for shopper in shoppers for event in shopper]
    return Sequences(
        np.array([item for item, _ in flat], np.int64),
        np.full(len(flat), action, np.int32),
        np.array([day * DAY_MS for _, day in flat], np.int64),
        np.cumsum([0, *map(len, shoppers)]),
    )


def case(begin: int, end: int, day: float, exclude: int = NO_ITEM, relevant: tuple[int, ...] = ()) -> Case:
    return Case(slice(begin, end), int(day * DAY_MS), exclude, frozenset(relevant))


def test_a_visit_ends_after_half_an_hour_and_with_the_shopper():
    source = sequences([(0, 0), (1, 0.01), (2, 0.5)], [(3, 0.5), (4, 0.5)])
    assert visit_of(source).tolist() == [0, 0, 1, 2, 2]


def test_only_wanted_events_before_the_split_are_learnt_from():
    source = sequences([(0, 1), (1, 5)], [(2, 2), (3, 9)])
    past = wanted_before(source, 5 * DAY_MS)
    assert (past.item.tolist(), past.start.tolist()) == ([0, 2], [0, 1, 2])
    returned = wanted_before(sequences([(0, 1)], action=RETURN), END)
    assert (returned.item.tolist(), returned.start.tolist()) == ([], [0, 0])


def test_a_history_fades_with_time_and_place_and_repeats_add_up():
    source = sequences([(0, 0), (1, 10), (0, 20)])
    row = histories(source, [case(0, 3, 20)], 3, Recency(10, 0.5)).toarray()[0]
    assert row.tolist() == pytest.approx([0.25 * 0.25 + 1, 0.5 * 0.5, 0])
    assert histories(source, [case(0, 0, 20)], 3, Recency(10, 0.5)).toarray()[0].tolist() == [0, 0, 0]


def test_an_item_held_twice_by_a_row_counts_once():
    assert incidence(np.array([0, 0, 1]), np.array([2, 2, 0]), 3).toarray().tolist() == [[0, 0, 1], [1, 0, 0]]


def test_recent_popularity_follows_the_season():
    past = sequences([(0, 0), (0, 0), (0, 1), (1, 99)])
    everyone = [case(0, 0, 100)]
    assert Popularity().fit(past, 6, 100 * DAY_MS).scores(past, everyone)[0].argmax() == 0
    assert Popularity(7.0).fit(past, 6, 100 * DAY_MS).scores(past, everyone)[0].argmax() == 1


def test_item_knn_is_the_shrunk_cosine_of_who_holds_them():
    past = sequences([(0, 0), (1, 9)], [(0, 0), (1, 9), (2, 20)], [(0, 0)])
    fitted = ItemKnn(shrinkage=1.0, asymmetry=0.5, repeat=0.5, half_life_days=float("inf")).fit(past, 6, END)
    score = fitted.scores(past, [case(5, 6, 0)])[0]
    assert score[:3].tolist() == pytest.approx([0.5, 2 / (6**0.5 + 1), 1 / (3**0.5 + 1)], abs=1e-4)


def test_item_knn_by_visit_does_not_join_what_lies_days_apart():
    past = sequences([(0, 0), (1, 9)], [(0, 0), (2, 0)])
    score = ItemKnn(unit="visit", half_life_days=float("inf")).fit(past, 6, END).scores(past, [case(0, 1, 0)])[0]
    assert score[2] > 0.05
    assert score[1] < 0.01


def test_co_visitation_looks_ahead_in_time():
    past = sequences([(0, 0), (1, 9)], [(0, 0), (1, 9)], [(1, 0), (2, 9)])
    score = CoVisitation().fit(past, 6, END).scores(past, [case(0, 1, 0), case(1, 2, 9)])
    assert score[0].argmax() == 1
    assert score[1].argmax() == 2  # what came before it is not what follows


def test_co_visitation_counts_repeats_in_later_visits_only():
    source = [(3, 0), (4, 0), (3, 30)]
    later = CoVisitation(together=0, following=0).fit(sequences(source), 6, END)
    same = CoVisitation(following=0, next_visits=0).fit(sequences(source), 6, END)
    assert later.close_NN.toarray()[3, 3] > 0
    assert same.close_NN.toarray()[3, 3] == 0
    assert same.close_NN.toarray()[3, 4] > 0


def test_own_items_come_first_and_popularity_fills_the_list():
    past = sequences([(0, 0), (0, 1), (0, 2), (1, 3)], [(5, 3)])
    lists = best_items(Personal().fit(past, 6, END), past, [case(4, 5, 4), case(0, 0, 4)], HASHES, k=3)
    assert lists[0, :2].tolist() == [105, 100]
    assert lists[1, 0] == 100


def test_what_a_case_excludes_is_not_listed():
    past = sequences([(0, 0), (0, 1), (1, 3)])
    lists = best_items(Popularity().fit(past, 6, END), past, [case(0, 1, 4, exclude=100)], HASHES, k=6)
    assert 100 not in lists[0]
    assert lists[0, 0] == 101
    assert lists[0, -1] == NO_ITEM


def test_the_strongest_neighbours_stay():
    dense = np.array([[0, 3, 1], [2, 0, 5], [0, 0, 0]], np.float32)
    kept = strongest(csr_array(dense), 1).toarray()
    assert kept.tolist() == [[0, 3, 0], [0, 0, 5], [0, 0, 0]]
    own = with_diagonal(csr_array(dense), 7)
    assert own.toarray().diagonal().tolist() == [7, 7, 7]
    assert with_scaled_diagonal(own, 3).toarray().diagonal().tolist() == [21, 21, 21]
    assert with_scaled_diagonal(own, 3).toarray()[0, 1] == 3


def test_the_defaults_are_tried_and_others_drawn_without_repetition_by_the_seed():
    space = {"a": (1, 2, 3), "b": ("x", "y")}
    defaults, *drawn = draw(space, 10, 0)
    assert defaults == {}
    assert len({tuple(one.items()) for one in drawn}) == len(drawn) == 6
    assert draw(space, 3, 5) == draw(space, 3, 5)
    assert len(draw(space, 3, 5)) == 3
    assert draw({}, 3, 0) == [{}]


def test_tuning_takes_what_validation_recalls_best():
    classics = [(item, 0.0) for item in range(25) for _ in range(2)]
    source = sequences([*classics, (25, 99)], [(2, 99), (25, 101)])
    moment = case(51, 52, 101, relevant=(125,))
    half_lives = (float("inf"), 1.0)
    contestant = Contestant(Popularity, {"half_life_days": half_lives})
    for trials_seed in range(3):
        chosen = tune(contestant, source, [moment], np.arange(100, 130), 100 * DAY_MS, 3, trials_seed)
        assert chosen == (Popularity(1.0), 1.0)


@pytest.mark.parametrize("name", CONTESTANTS)
def test_every_contestant_fits_an_empty_past(name: str):
    nothing = sequences([])
    for settings in draw(CONTESTANTS[name].space, 2, 0):
        lists = best_items(CONTESTANTS[name].make(**settings).fit(nothing, 6, END), nothing, [case(0, 0, 1)], HASHES)
        assert len(lists[0]) == 6
