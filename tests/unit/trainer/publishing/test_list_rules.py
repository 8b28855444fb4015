"""Lists as a request wants them: their length, what comes first, what they are held to, diversity by shopper."""

import pytest
import torch
from test_scorer import ITEMS, WIDTH, best, click, encode, request, scorer

from model_repo.headrace.items import NO_ITEM, Items
from model_repo.headrace.scorer import TOP_K, ServedScorer

EVERY = torch.arange(10, 10 + ITEMS)


def length(k: int) -> dict[str, torch.Tensor]:
    return {"list_length": torch.tensor([k], dtype=torch.int32)}


def held_to(*kept: int) -> dict[str, torch.Tensor]:
    """Items of even hash are of the category 100, those divisible by three of 300."""
    even, third = EVERY[EVERY % 2 == 0], EVERY[EVERY % 3 == 0]
    category = torch.cat([torch.full_like(even, 100), torch.full_like(third, 300)])
    return {
        "category_item": torch.cat([even, third]),
        "category": category,
        "kept_category": torch.tensor([kept]),
    }


@pytest.mark.parametrize("k", [1, 7, 45, 100])
def test_a_list_is_as_long_as_asked_and_starts_as_any_other(k: int):
    usual, answer = scorer().score(request([[12], [30, 31]])), scorer().score(request([[12], [30, 31]], **length(k)))
    for name, array in answer.items():
        assert name == "ctr" or array.shape[:2] == (2, k)
    same = min(k, TOP_K)
    assert torch.equal(answer["rec_item"][:, :same], usual["rec_item"][:, :same])
    assert torch.allclose(answer["rec_score"][:, :same], usual["rec_score"][:, :same])
    assert (answer["rec_item"] != NO_ITEM).sum(dim=1).tolist() == [min(k, ITEMS)] * 2
    there = answer["rec_item"] != NO_ITEM
    assert answer["rec_ctr"][there].isfinite().all()


@pytest.mark.parametrize("k", [0, 101])
def test_a_length_beyond_its_range_is_refused(k: int):
    with pytest.raises(ValueError, match=f"list_length {k} must be from 1 to 100"):
        scorer().score(request([[12]], **length(k)))


def test_what_is_pinned_comes_first_with_its_own_score():
    usual = scorer().score(request([[12]], **length(ITEMS)))
    score = dict(zip(usual["rec_item"][0].tolist(), usual["rec_score"][0].tolist(), strict=True))
    *_, third, second, last = usual["rec_item"][0].tolist()
    answer = scorer().score(request([[12]], pinned=torch.tensor([[last, third, second]])))
    listed = answer["rec_item"][0].tolist()
    assert listed[:3] == [third, second, last]
    assert listed[3:] == usual["rec_item"][0, : TOP_K - 3].tolist()
    for item, listed_score in zip(listed, answer["rec_score"][0].tolist(), strict=True):
        assert listed_score == pytest.approx(score[item], abs=1e-5)


def test_a_pin_of_what_stands_high_anyway_lists_it_once():
    usual = best([12])
    assert best([12], pinned=torch.tensor([[usual[1]]])) == [usual[1], usual[0], *usual[2:]]


def test_what_a_shopper_is_not_to_get_is_not_pinned_either():
    for barred in ({"exclude": torch.tensor([[69]])}, {"withdrawn": torch.tensor([69])}):
        listed = best([12], pinned=torch.tensor([[69, 999]]), **barred)
        assert listed == best([12], **barred)
        assert 69 not in listed


def test_each_shopper_has_pins_of_their_own():
    together = scorer().score(request([[12], [13]], pinned=torch.tensor([[NO_ITEM], [69]])))["rec_item"]
    assert together[0].tolist() == best([12])
    assert together[1].tolist() == [69, *[item for item in best([13]) if item != 69]][:TOP_K]


def test_a_new_item_may_be_pinned():
    extra = {"extra_item": torch.tensor([7]), "extra_vector": torch.full((1, WIDTH), -9.0)}
    assert best([12], **extra, pinned=torch.tensor([[7]]))[0] == 7


def test_pins_come_before_what_diversity_chooses():
    rules = {"pinned": torch.tensor([[69]]), "diversity": torch.tensor([0.5])}
    listed = best([12], **rules)
    assert listed[0] == 69
    assert len(set(listed)) == TOP_K


@pytest.mark.parametrize(("kept", "fits"), [((100,), (2,)), ((300,), (3,)), ((100, 300), (2, 3))])
def test_a_list_holds_nothing_but_the_categories_that_it_is_held_to(kept: tuple[int, ...], fits: tuple[int, ...]):
    whole = best([12], **length(ITEMS))
    expected = [item for item in whole if any(item % n == 0 for n in fits)][:TOP_K]
    assert [item for item in best([12], **held_to(*kept)) if item != NO_ITEM] == expected


def test_a_filter_holds_for_its_shopper_alone_and_for_new_items_and_pins_too():
    rules = held_to(100)
    rules["category_item"] = torch.cat([rules["category_item"], torch.tensor([7])])
    rules["category"] = torch.cat([rules["category"], torch.tensor([300])])
    rules["kept_category"] = torch.tensor([[0, 0], [300, 0], [100, 0]])
    like = scorer().arrays["item_vector"][2:3] * 50
    extra = {"extra_item": torch.tensor([7, 8]), "extra_vector": like.repeat(2, 1)}
    pinned = {"pinned": torch.tensor([[69, 68]] * 3)}
    answer = scorer().score(request([[12]] * 3, **rules, **extra, **pinned))["rec_item"]
    assert {7, 8, 69, 68} <= set(answer[0].tolist())
    assert answer[1, :2].tolist() == [69, 7]
    assert all(item in (7, NO_ITEM) or item % 3 == 0 for item in answer[1].tolist())
    assert answer[2, 0] == 68
    assert all(item % 2 == 0 and item != 8 for item in answer[2].tolist())


def test_a_category_that_holds_nothing_leaves_an_empty_list():
    assert best([12], **held_to(555)) == [NO_ITEM] * TOP_K
    assert best([12], kept_category=torch.tensor([[100]])) == [NO_ITEM] * TOP_K


def test_each_shopper_has_a_diversity_of_their_own_and_nan_is_the_version_s():
    made = ServedScorer(scorer().arrays, encode, click, 0.4)
    rules = request([[12, 15]] * 3, diversity=torch.tensor([0.0, torch.nan, 0.8]))
    together = made.score(rules)["rec_item"]
    for row, own in enumerate((0.0, 0.4, 0.8)):
        alone = made.score(request([[12, 15]], diversity=torch.tensor([own])))["rec_item"][0]
        assert torch.equal(together[row], alone)


def test_a_version_tells_which_of_its_items_are_bought_again():
    repeats = torch.zeros(ITEMS, dtype=torch.uint8)
    repeats[3] = 1
    items = Items({**scorer().arrays, "repeats": repeats})
    assert items.repeats(torch.tensor([13, 12, 999, 5])).tolist() == [1, 0, 0, 0]
