"""Re-ranking for diversity: what is chosen, and that no score moves."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_scorer import ITEMS, click, encode, request, scorer

from model_repo.headrace.diversity import marginal_relevance
from model_repo.headrace.items import NO_ITEM
from model_repo.headrace.scorer import TOP_K, ServedScorer

SAME, OTHER = [1.0, 0.0], [0.0, 1.0]


def diverse(diversity: float) -> ServedScorer:
    return ServedScorer(scorer().arrays, encode, click, diversity)


def likeness(made: ServedScorer, listed: torch.Tensor) -> float:
    unit = torch.nn.functional.normalize(made.arrays["item_vector"][listed - 10], dim=1)
    return float((unit @ unit.T).triu(1).sum())


def test_the_second_place_goes_to_another_kind():
    score, vector = torch.tensor([[3.0, 2.9, 2.0, 1.0]]), torch.tensor([[SAME, SAME, OTHER, OTHER]])
    assert marginal_relevance(score, vector, 0.0, 4).tolist() == [[0, 1, 2, 3]]
    assert marginal_relevance(score, vector, 0.5, 4).tolist() == [[0, 2, 1, 3]]
    assert marginal_relevance(score, vector, 1.0, 2).tolist() == [[0, 2]]


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3, 0.7, 1.0]))
def test_every_place_is_chosen_once_and_the_best_item_stands_first(seed, diversity):
    torch.manual_seed(seed)
    score, vector = torch.randn(3, 9).sort(dim=1, descending=True).values, torch.randn(3, 9, 4)
    chosen = marginal_relevance(score, vector, diversity, 9)
    assert chosen.sort(dim=1).values.tolist() == [list(range(9))] * 3
    if diversity < 1:
        assert (chosen[:, 0] == 0).all()


@given(st.integers(0, 10_000), st.floats(0.1, 50), st.floats(-100, 100))
def test_the_scale_of_the_scores_does_not_matter(seed, scale, shift):
    torch.manual_seed(seed)
    score, vector = torch.randn(2, 8, dtype=torch.float64), torch.randn(2, 8, 4, dtype=torch.float64)
    plain = marginal_relevance(score, vector, 0.4, 5)
    assert torch.equal(plain, marginal_relevance(score * scale + shift, vector, 0.4, 5))


def test_a_place_without_an_item_comes_last():
    score = torch.tensor([[1.0, -torch.inf, 0.5], [-torch.inf, -torch.inf, -torch.inf]])
    chosen = marginal_relevance(score, torch.tensor([[SAME, OTHER, SAME]] * 2), 0.9, 3)
    assert chosen.tolist() == [[0, 2, 1], [0, 1, 2]]


def test_without_diversity_answers_are_as_ever_to_the_bit():
    tensors = request([[12, 15], [30], []])
    plain, off = scorer().score(tensors), diverse(0.0).score(tensors)
    for name, answer in plain.items():
        assert torch.equal(answer.nan_to_num(), off[name].nan_to_num())


def test_a_diverse_list_is_less_alike_and_starts_with_the_best():
    tensors = request([[12, 15]])
    plain, lists = (
        scorer().score(tensors)["rec_item"][0],
        [diverse(d).score(tensors)["rec_item"][0] for d in (0.3, 0.8)],
    )
    alike = [likeness(scorer(), listed) for listed in (plain, *lists)]
    assert alike[0] > alike[1] > alike[2]
    assert all(listed[0] == plain[0] for listed in lists)
    assert all(len(set(listed.tolist())) == TOP_K for listed in lists)


def test_an_item_keeps_its_score_whatever_the_order():
    tensors = request([[12, 15]])
    plain = scorer().score(tensors)
    score = dict(zip(plain["rec_item"][0].tolist(), plain["rec_score"][0].tolist(), strict=True))
    answer = diverse(0.3).score(tensors)
    again = dict(zip(answer["rec_item"][0].tolist(), answer["rec_score"][0].tolist(), strict=True))
    both = score.keys() & again.keys()
    assert len(both) > 5
    assert all(again[item] == score[item] for item in both)
    assert list(again.values()) != sorted(again.values(), reverse=True)


def test_what_is_withdrawn_or_missing_stays_out():
    withdrawn = torch.arange(10, 10 + ITEMS - 3)
    listed = diverse(0.5).score(request([[12]], withdrawn=withdrawn))["rec_item"][0].tolist()
    assert sorted(listed[:3]) == [67, 68, 69]
    assert listed[3:] == [NO_ITEM] * (TOP_K - 3)


def test_an_extra_item_is_compared_by_its_own_vector():
    twin, first = scorer().arrays["item_vector"][2:3], torch.tensor([50.0, 49.0])
    extra = {"extra_item": torch.tensor([7]), "extra_vector": twin}
    tensors = request([[12]], **extra, boost_item=torch.tensor([12, 7]), boost=first)
    assert scorer().score(tensors)["rec_item"][0, :2].tolist() == [12, 7]
    assert diverse(0.9).score(tensors)["rec_item"][0, 1] != 7


def test_a_request_may_ask_for_its_own_diversity():
    tensors = request([[12, 15]])
    for own in (0.0, 0.4):
        answer = diverse(0.8).score({**tensors, "diversity": torch.tensor([own])})
        assert torch.equal(answer["rec_item"], diverse(float(torch.tensor(own))).score(tensors)["rec_item"])


def test_a_diversity_beyond_its_range_is_refused():
    with pytest.raises(ValueError, match=r"diversity 1\.5"):
        diverse(1.5)
    with pytest.raises(ValueError, match="must be from 0 to 1"):
        scorer().score({**request([[12]]), "diversity": torch.tensor([-0.5])})
