"""Questions to tensors and back."""

import msgspec
import numpy as np
import pytest

from feature_repo.basics.identity import NO_ITEM, context_hash, item_hash, packed_hash
from feature_repo.shoppers.recent import Recent, RecentEvent
from headrace.arrays import HISTORY, PARTS, REASONS, TOP_K, ScoreAnswer, ScoreTensors, sent
from headrace.messages.events import Event, EventType
from headrace.messages.outputs import ModelRef
from headrace.settings.lists import ListRule
from streams.serving.catalogue.context_blocks import CatalogueContext
from streams.serving.shopper_scorer.queries import NO_ITEMS_RANKED, ShopperQuery
from streams.serving.shopper_scorer.tensors import to_results, to_tensors, without_boosts

SHOP = CatalogueContext(
    np.array([NO_ITEM]),
    np.array([NO_ITEM]),
    np.zeros((1, 4), np.float32),
    np.array([NO_ITEM]),
    np.zeros(1, np.float32),
)
VIEW = Event(event_id="e", type=EventType.VIEW, user_id="u", timestamp=99, item_id="a", context={"page": "home"})


def recent(n: int) -> Recent:
    return Recent.of(RecentEvent(at, 1, f"i{at}", 1, -1) for at in range(n))


def query(n: int, candidates: tuple[str, ...] = (), exclude: bytes = b"") -> ShopperQuery:
    return ShopperQuery(VIEW, recent(n), exclude, not candidates, candidates, "web")


def test_histories_are_right_aligned():
    tensors = to_tensors([query(2), query(HISTORY + 3)], SHOP)
    assert tensors.history_item[0, -2:].tolist() == [item_hash("i0"), item_hash("i1")]
    assert not tensors.history_item[0, :-2].any()
    assert tensors.history_time[1].tolist() == list(range(3, HISTORY + 3))


def test_no_tensor_that_is_sent_is_empty_and_rules_are_sent_where_they_are_set_alone():
    tensors = sent(to_tensors([query(0)], SHOP))
    assert all(tensor.size > 0 for tensor in tensors.values())
    assert set(ScoreTensors._fields) - set(tensors) == {
        "list_length",
        "diversity",
        "pinned",
        "kept_category",
        "category_item",
        "category",
    }


def test_each_list_is_cut_to_its_own_length():
    requested = [query(1)._replace(rule=ListRule(length)) for length in (3, TOP_K)]
    for length, answer in zip(
        (3, TOP_K), to_results(requested, silent(2, [0.0]), ModelRef("m", "1"), [None] * 2), strict=True
    ):
        listed = answer.ranked
        assert {
            len(column) for column in (listed.items, listed.scores, listed.ctrs, listed.parts, listed.part_weights)
        } == {length}
        assert {len(row) for row in (*listed.reason_events, *listed.reason_weights)} == {length}


def test_what_the_shop_boosts_is_not_told_as_popular():
    answer = silent(1, [0.0])
    answer.rec_item[0, :2] = [5, 7]
    answer.reason_part[0, :2, 1] = 3.0
    part = without_boosts(answer, {7: 2.0, 9: 1.0}).reason_part
    assert part[0, :2, 1].tolist() == [3.0, pytest.approx(3.0 - 2 * np.log(2))]
    assert without_boosts(answer, {}) is answer


def test_each_question_brings_the_context_of_its_own_cause():
    plain = query(1)._replace(input=msgspec.structs.replace(VIEW, context=None), channel="app")
    tensors = to_tensors([query(1), plain, query(1)], SHOP)
    web, app, home = context_hash("channel", "web"), context_hash("channel", "app"), context_hash("page", "home")
    assert tensors.context[:, :2].tolist() == [[web, home], [app, 0], [web, home]]
    assert not tensors.context[:, 2:].any()


def test_candidates_know_their_shopper_and_their_place():
    tensors = to_tensors([query(1, ("a", "b")), query(1), query(1, ("c",))], SHOP)
    assert tensors.candidate_item.tolist() == [item_hash(i) for i in "abc"]
    assert tensors.candidate_row.tolist() == [0, 0, 2]
    assert tensors.candidate_position.tolist() == [0, 1, 0]
    assert tensors.recommend.tolist() == [0, 1, 0]


def test_exclusions_are_padded_to_the_longest():
    key = packed_hash("a")
    tensors = to_tensors([query(1), query(1, exclude=key + key)], SHOP)
    assert tensors.exclude.tolist() == [[NO_ITEM, NO_ITEM], [item_hash("a")] * 2]


def test_of_what_was_bought_that_which_is_bought_again_is_not_excluded():
    a, b, c = (packed_hash(name) for name in "abc")
    requested = [query(1)._replace(bought=a + b), query(1, exclude=c), query(1, exclude=c)._replace(bought=b)]
    exclude = to_tensors(requested, SHOP, np.array([item_hash("b")])).exclude
    assert exclude.tolist() == [[item_hash("a")], [item_hash("c")], [item_hash("c")]]
    nothing_again = to_tensors(requested, SHOP, np.zeros(0, np.int64)).exclude
    assert [set(row) - {NO_ITEM} for row in nothing_again.tolist()] == [
        {item_hash("a"), item_hash("b")},
        {item_hash("c")},
        {item_hash("b"), item_hash("c")},
    ]


def test_what_was_bought_stays_where_the_version_does_not_tell_what_is_bought_again():
    tensors = to_tensors([query(1)._replace(bought=packed_hash("a"))], SHOP)
    assert tensors.exclude.tolist() == [[NO_ITEM]]


def silent(rows: int, rates: list[float]) -> ScoreAnswer:
    """An answer to so many questions that says nothing but the candidates' rates."""
    shape = rows, TOP_K
    return ScoreAnswer(
        np.zeros(shape, np.int64),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
        np.zeros((*shape, REASONS), np.int32),
        np.zeros((*shape, REASONS), np.float32),
        np.zeros((*shape, len(PARTS)), np.float32),
        np.array(rates, np.float32),
    )


def test_answers_are_cut_where_the_questions_end():
    queries = [query(1, ("a", "b")), query(1), query(1, ("c",))]
    answer = silent(3, [0.25, 0.5, 0.75])
    answers = list(to_results(queries, answer, ModelRef("m", "1"), [None, None, "unknown_item"]))
    assert [a.candidate_ctrs for a in answers] == [[0.25, 0.5], [], [0.75]]
    assert [a.fallback for a in answers] == [None, None, "unknown_item"]


def test_each_of_a_load_of_many_gets_its_own_list():
    n = 150
    queries = [query(1, ("a",) * (row % 3))._replace(recommend=row % 5 > 0) for row in range(n)]
    requested = sum(len(q.candidates) for q in queries)
    named = np.repeat(np.arange(n)[:, None], TOP_K, axis=1)
    answer = silent(n, list(map(float, range(requested))))._replace(rec_item=named, rec_score=named.astype(np.float32))
    answers = list(to_results(queries, answer, ModelRef("m", "1"), [None] * n))
    for row, (q, a) in enumerate(zip(queries, answers, strict=True)):
        assert a.ranked.items == ([row] * TOP_K if q.recommend else NO_ITEMS_RANKED.items)
        assert a.ranked.scores == ([row] * TOP_K if q.recommend else NO_ITEMS_RANKED.scores)
    assert [rate for a in answers for rate in a.candidate_ctrs] == list(range(requested))
    assert [len(a.candidate_ctrs) for a in answers] == [len(q.candidates) for q in queries]


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("recommend", [True, False])
def test_an_answer_to_more_or_fewer_questions_is_refused_at_once(rows, recommend):
    queries = [query(1), query(1)._replace(recommend=recommend)]
    with pytest.raises(IndexError):
        to_results(queries, silent(rows, [0.0]), ModelRef("m", "1"), [None, None])


def test_those_who_want_no_list_get_none_and_the_others_their_own():
    queries = [query(1)._replace(recommend=False), query(1)]
    k, r = TOP_K, REASONS
    parts = np.zeros((2, k, len(PARTS)), np.float32)
    parts[1, 0] = [-0.5, 0.25]
    events = np.arange(2 * k * r, dtype=np.int32).reshape(2, k, r)
    answer = ScoreAnswer(
        np.array([[1] * k, [2] * k]),
        np.full((2, k), 1 / 3, np.float32),
        np.zeros((2, k), np.float32),
        events,
        events.astype(np.float32) / 2,
        parts,
        np.zeros(1, np.float32),
    )
    none, listed = (a.ranked for a in to_results(queries, answer, ModelRef("m", "1"), [None, None]))
    assert none == NO_ITEMS_RANKED
    assert listed.items == [2] * k
    assert listed.scores[0] == 0.333333
    assert (listed.parts[0], listed.part_weights[0]) == (1, 0.25)
    assert listed.reason_events == [events[1, :, reason].tolist() for reason in range(r)]
    assert listed.reason_weights[1][3] == events[1, 3, 1] / 2
