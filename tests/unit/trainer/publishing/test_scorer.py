"""What the scorer answers, held against a ranking worked out by hand."""

import pytest
import torch
from torch import Tensor

from model_repo.headrace.items import NO_ITEM
from model_repo.headrace.retrieval import top
from model_repo.headrace.scorer import TOP_K, ServedScorer

ITEMS, WIDTH, HISTORY = 60, 8, 50


def encode(item: Tensor, action: Tensor, time: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
    contribution = item * 0.1 * (action > 0).unsqueeze(-1)
    user = contribution.sum(dim=1)
    return user, user.unsqueeze(1) - contribution


def click(user: Tensor, item: Tensor, prior: Tensor, place: Tensor, context: Tensor, known: Tensor) -> Tensor:
    return prior + (user * item).sum(dim=1)


def scorer(with_clicks: bool = True) -> ServedScorer:
    torch.manual_seed(1)
    arrays = {
        "item_hash": torch.arange(10, 10 + ITEMS),
        "item_vector": torch.randn(ITEMS, WIDTH),
        "item_text": torch.randn(ITEMS, WIDTH),
        "item_bias": torch.randn(ITEMS),
        "item_prior": torch.linspace(-3, 0, ITEMS),
        "unknown_vector": torch.zeros(WIDTH),
        "new_bias": torch.tensor([0.25]),
        "new_prior": torch.tensor([-1.5]),
        "popular": torch.arange(100),
        "again": torch.tensor([0.0, 1.0]),
    }
    return ServedScorer(arrays, encode, click if with_clicks else None)


def request(histories: list[list[int]], **changes: Tensor) -> dict[str, Tensor]:
    rows = len(histories)
    item = torch.zeros(rows, HISTORY, dtype=torch.int64)
    for row, history in enumerate(histories):
        item[row, HISTORY - len(history) :] = torch.tensor(history, dtype=torch.int64)
    nothing = torch.tensor([NO_ITEM])
    tensors = {
        "history_item": item,
        "history_action": (item != NO_ITEM).int(),
        "history_time": torch.zeros_like(item),
        "now": torch.zeros(rows, dtype=torch.int64),
        "context": torch.zeros(rows, 8, dtype=torch.int64),
        "recommend": torch.ones(rows, dtype=torch.int32),
        "exclude": torch.zeros(rows, 1, dtype=torch.int64),
        "withdrawn": nothing,
        "extra_item": nothing,
        "extra_vector": torch.zeros(1, WIDTH),
        "boost_item": nothing,
        "boost": torch.zeros(1),
        "candidate_item": nothing,
        "candidate_row": torch.zeros(1, dtype=torch.int32),
        "candidate_position": torch.zeros(1, dtype=torch.int32),
    }
    return {**tensors, **changes}


def best(history: list[int], **changes: Tensor) -> list[int]:
    return scorer().score(request([history], **changes))["rec_item"][0].tolist()


def test_the_best_of_the_whole_catalogue_come_back_in_order():
    made = scorer()
    user = made.arrays["item_vector"][[2, 5]].sum(dim=0) * 0.1
    expected = made.arrays["item_vector"] @ user + made.arrays["item_bias"]
    order = expected.argsort(descending=True)[:TOP_K]
    answer = made.score(request([[12, 15]]))
    assert answer["rec_item"][0].tolist() == (order + 10).tolist()
    assert torch.allclose(answer["rec_score"][0], expected[order], atol=1e-5)


def reasons_of(answer: dict[str, Tensor], place: int) -> dict[int, float]:
    """Events told as reasons of an entry, with their weights, heaviest first."""
    event, weight = answer["reason_event"][0, place].tolist(), answer["reason_weight"][0, place].tolist()
    return {e: w for e, w in zip(event, weight, strict=True) if e >= 0}


def test_a_reason_weighs_by_what_an_items_lead_over_the_mean_item_loses_without_the_event():
    made = scorer()
    answer = made.score(request([[12, 15]]))
    row = answer["rec_item"][0] - 10
    table = made.arrays["item_vector"]
    loss = (table[row] - table.mean(dim=0)) @ table[[2, 5]].T * 0.1
    for place in range(TOP_K):
        best = float(loss[place].max())
        expected = {e: w for e, w in zip((48, 49), loss[place].tolist(), strict=True) if w > 0 and w >= best / 2}
        assert reasons_of(answer, place) == pytest.approx(expected, abs=1e-5)


def test_reasons_come_by_weight_and_are_of_different_items():
    answer = scorer().score(request([[12, 15, 12, 15, 12, 18]]))
    several = 0
    for place in range(TOP_K):
        extra = reasons_of(answer, place)
        assert list(extra.values()) == sorted(extra.values(), reverse=True)
        assert len({(12, 15, 12, 15, 12, 18)[event - 44] for event in extra}) == len(extra)
        several += len(extra) == 2
    assert several


@pytest.mark.parametrize("code", [4, 6])
def test_what_speaks_against_an_item_is_no_reason(code: int):
    history = request([[12, 15, 18]])
    assert any(48 in reasons_of(scorer().score(history), place) for place in range(TOP_K))
    history["history_action"][0, 48] = code
    answer = scorer().score(history)
    assert not any(48 in reasons_of(answer, place) for place in range(TOP_K))


def test_an_item_that_is_unknown_is_no_reason():
    made = scorer()
    made.arrays["unknown_vector"] += 3 * made.arrays["item_vector"][7]
    answer = ServedScorer(made.arrays, encode, click).score(request([[12, 999]]))
    assert not any(49 in reasons_of(answer, place) for place in range(TOP_K))
    strange = {"extra_item": torch.tensor([999]), "extra_vector": made.arrays["unknown_vector"].unsqueeze(0)}
    answer = ServedScorer(made.arrays, encode, click).score(request([[12, 999]], **strange))
    assert not any(49 in reasons_of(answer, place) for place in range(TOP_K))
    extra = {"extra_item": torch.tensor([999]), "extra_vector": 9 * made.arrays["item_vector"][7:8]}
    answer = ServedScorer(made.arrays, encode, click).score(request([[12, 999]], **extra))
    assert any(49 in reasons_of(answer, place) for place in range(TOP_K))


def test_text_and_popularity_are_told_by_what_they_add_beyond_the_mean_item():
    made = scorer()
    user = made.arrays["item_vector"][[2, 5]].sum(dim=0) * 0.1
    extra = torch.tensor([5])
    answer = made.score(request([[12, 15]], extra_item=extra, extra_vector=10 * user.unsqueeze(0)))
    mean_text = made.arrays["item_text"].mean(dim=0)
    for place, key in enumerate(answer["rec_item"][0].tolist()):
        text, popular = answer["reason_part"][0, place].tolist()
        new = key == 5
        own = 10 * user if new else made.arrays["item_text"][key - 10]
        bias = made.arrays["new_bias"][0] if new else made.arrays["item_bias"][key - 10]
        assert abs(text - float((own - mean_text) @ user)) < 1e-4
        assert abs(popular - float(bias - made.arrays["item_bias"].mean())) < 1e-5
    assert 5 in answer["rec_item"][0].tolist()


def test_what_is_excluded_or_withdrawn_never_comes_back():
    first, second, *_ = best([12])
    assert first not in best([12], exclude=torch.tensor([[first]]))
    assert second not in best([12], withdrawn=torch.tensor([second]))
    assert len(set(best([12], withdrawn=torch.tensor([first, second])))) == TOP_K


def test_a_list_is_filled_up_with_no_item_where_fewer_remain():
    withdrawn = torch.arange(10, 10 + ITEMS - 3)
    listed = best([12], withdrawn=withdrawn)
    assert sum(item != NO_ITEM for item in listed) == 3
    assert listed[3:] == [NO_ITEM] * (TOP_K - 3)


def test_an_extra_item_competes_and_is_ignored_when_the_version_knows_it():
    like_history = scorer().arrays["item_vector"][2:3] * 50
    assert best([12], extra_item=torch.tensor([7]), extra_vector=like_history)[0] == 7
    assert best([12], extra_item=torch.tensor([12]), extra_vector=like_history) == best([12])


def test_an_extra_item_counts_in_the_history_by_its_vector():
    vector = scorer().arrays["item_vector"][2:3]
    extra = {"extra_item": torch.tensor([7]), "extra_vector": vector, "withdrawn": torch.tensor([7])}
    assert best([7], **extra) == best([12])


def test_unknown_history_leaves_popularity():
    made = scorer()
    popular = (made.arrays["item_bias"].argsort(descending=True)[:TOP_K] + 10).tolist()
    assert best([999]) == popular == best([])


def test_a_boost_adds_to_the_score():
    last = best([12])[-1]
    answer = scorer().score(request([[12]], boost_item=torch.tensor([last]), boost=torch.tensor([100.0])))
    assert answer["rec_item"][0, 0] == last
    assert 99 < answer["rec_score"][0, 0] < 110


def test_equal_scores_are_ordered_by_hash_wherever_the_request_puts_them():
    for order in ([3, 5, 4], [5, 4, 3]):
        extra, first = torch.tensor(order), torch.full((3,), 50.0)
        listed = best([12], extra_item=extra, extra_vector=torch.zeros(3, WIDTH), boost_item=extra, boost=first)
        assert listed[:3] == [3, 4, 5]


@pytest.mark.parametrize("count", [40, 130])
def test_a_row_does_not_depend_on_the_others(count: int):
    made = ServedScorer({**scorer().arrays, "again": torch.tensor([0.5, 1e9])}, encode, click)
    histories = [[10 + (n + event) % ITEMS for event in range(n % 11)] for n in range(count)]
    wanted, later = torch.arange(count).remainder(3).sign().int(), torch.full((count,), 10**9)
    together = made.score(request(histories, recommend=wanted, now=later))
    for row in (0, 1, 10, 32, 33, count - 2, count - 1):
        alone = made.score(request([histories[row]], recommend=wanted[row : row + 1], now=later[:1]))
        for name in ("rec_item", "reason_event"):
            assert torch.equal(together[name][row], alone[name][0])
        for name in ("rec_score", "rec_ctr", "reason_weight", "reason_part"):
            assert torch.allclose(together[name][row], alone[name][0], atol=1e-4, equal_nan=True)


def test_only_rows_that_want_recommendations_get_them():
    answer = scorer().score(request([[12], [13]], recommend=torch.tensor([0, 1], dtype=torch.int32)))
    assert (answer["rec_item"][0] == NO_ITEM).all()
    assert (answer["rec_item"][1] != NO_ITEM).all()


def test_rates_are_answered_in_the_order_asked_and_an_unknown_item_has_the_shops_average():
    items = torch.tensor([69, 999, 10])
    tensors = request(
        [[]],
        candidate_item=items,
        candidate_row=torch.zeros(3, dtype=torch.int32),
        candidate_position=torch.arange(3, dtype=torch.int32),
    )
    expected = torch.sigmoid(torch.tensor([0.0, -1.5, -3.0]))
    assert torch.allclose(scorer().score(tensors)["ctr"], expected, atol=1e-5)


def test_without_a_click_head_rates_are_nan():
    answer = scorer(with_clicks=False).score(request([[12]]))
    assert answer["ctr"].isnan().all()
    assert answer["rec_ctr"].isnan().all()


@pytest.mark.parametrize(("columns", "k"), [(40, 32), (4_097, 32), (12_345, 100)])
def test_the_best_by_blocks_are_the_best_of_all(columns: int, k: int):
    torch.manual_seed(columns)
    score = torch.randn(3, columns)
    score[0, :50] = -torch.inf
    score[1] = score[1].sort(descending=True).values  # the best stand side by side
    expected, place = score.topk(k, dim=1)
    found, at = top(score.T, k)
    assert torch.equal(found, expected)
    assert torch.equal(at, place)


def test_a_request_in_which_nobody_wants_a_list_is_answered():
    tensors = request([[12, 13]], recommend=torch.tensor([0], dtype=torch.int32))
    answer = scorer().score(tensors)
    assert (answer["rec_item"] == NO_ITEM).all()
    assert answer["rec_ctr"].isnan().all()
    assert not answer["ctr"].isnan().any()


def test_rates_of_lists_have_a_map_of_their_own_and_those_of_what_is_shown_have_none():
    tensors = request([[10, 11]], candidate_item=torch.tensor([12, 13]))
    tensors |= {"candidate_row": torch.zeros(2, dtype=torch.int32), "candidate_position": torch.zeros(2).int()}
    plain, made = scorer(), scorer()
    made.arrays["list_rate"] = torch.tensor([0.5, -0.25])
    before, after = plain.score(tensors), made.score(tensors)
    assert torch.allclose(after["rec_ctr"].logit(), 0.5 * before["rec_ctr"].logit() - 0.25, atol=1e-4)
    assert torch.equal(after["ctr"], before["ctr"])
