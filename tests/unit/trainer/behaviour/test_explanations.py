"""Reasons are faithful: without the event told first, an item falls further than without another, and than without the
newest; and what an item's description is said to add is what it loses without one."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from small_shop import FittedShop

from feature_repo.basics.identity import NO_ITEM
from headrace.arrays import HISTORY
from trainer.data.score_requests import Case, as_tensors, request_of
from trainer.evaluation.faithfulness import Faithfulness, explained, faithfulness, without_each


def moments(fitted_shop: FittedShop) -> list[Case]:
    """Every shopper with more than five events, as of the end of the stream."""
    start, now = fitted_shop.shop.sequences.start, int(fitted_shop.shop.sequences.time.max())
    spans = [(int(b), int(e)) for b, e in pairwise(start)]
    return [Case(slice(max(b, e - HISTORY), e), now, NO_ITEM, frozenset()) for b, e in spans if e - b > 5]


@pytest.fixture(scope="module")
def found(fitted_shop: FittedShop) -> Faithfulness:
    return faithfulness(fitted_shop.trained.scorer(), fitted_shop.shop, moments(fitted_shop)[:60], 0, lambda *_: None)


def test_without_the_event_told_first_an_item_falls_further_than_without_another(found: Faithfulness):
    assert found.entries > 500
    assert found.beats_random is not None
    assert found.beats_random > 0.8
    assert found.beats_newest is not None
    assert found.beats_newest > 0.8


def test_hardly_a_reason_is_told_without_which_an_item_would_not_fall(found: Faithfulness):
    assert found.negative is not None
    assert found.negative < 0.1


def test_no_entry_names_one_item_twice(found: Faithfulness):
    assert found.duplicates == 0


def test_reasons_drawn_by_lot_are_not_faithful(fitted_shop: FittedShop):
    """The measure fails what is not true."""
    scorer, random = fitted_shop.trained.scorer(), np.random.default_rng(0)
    score = scorer.score

    def by_lot(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        answer, known = score(tensors), int((tensors["history_action"][0] > 0).sum())
        drawn = random.integers(HISTORY - known, HISTORY, answer["reason_event"].shape)
        return {**answer, "reason_event": torch.from_numpy(drawn).int()}

    scorer.score = by_lot  # pyright: ignore[reportAttributeAccessIssue]
    drawn = faithfulness(scorer, fitted_shop.shop, moments(fitted_shop)[:60], 0, lambda *_: None)
    assert drawn.beats_random is not None
    assert 0.3 < drawn.beats_random < 0.7
    assert drawn.duplicates is not None
    assert drawn.duplicates > 0


def test_histories_without_an_event_are_the_others_in_order(fitted_shop: FittedShop):
    case = next(case for case in moments(fitted_shop) if 5 < case.history.stop - case.history.start < HISTORY)
    known = case.history.stop - case.history.start
    whole = as_tensors(request_of(fitted_shop.shop, [case], fitted_shop.trained.model.config.width))
    parted = without_each(whole, known)
    assert parted["history_time"].shape == (1 + known, HISTORY)
    assert torch.equal(parted["history_item"][0], whole["history_item"][0])
    left = [*range(HISTORY - known, HISTORY - known + 2), *range(HISTORY - known + 3, HISTORY)]
    assert parted["history_item"][3, HISTORY - known + 1 :].tolist() == whole["history_item"][0, left].tolist()
    assert int((parted["history_action"][3] > 0).sum()) == known - 1


def test_an_effect_is_what_a_score_falls_by(fitted_shop: FittedShop):
    """For one entry, worked out by asking again with one event less."""
    scorer, case = fitted_shop.trained.scorer(), moments(fitted_shop)[0]
    reasoned = explained(scorer, fitted_shop.shop, case)
    tensors = as_tensors(request_of(fitted_shop.shop, [case], fitted_shop.trained.model.config.width))
    known = case.history.stop - case.history.start
    parted = without_each(tensors, known)
    fewer = {**tensors, **{name: tensor[2:3] for name, tensor in parted.items()}}
    with torch.inference_mode():
        scores = [
            dict(zip(answer["rec_item"][0].tolist(), answer["rec_score"][0].tolist(), strict=True))
            for answer in (scorer.score(tensors), scorer.score(fewer))
        ]
    both = [row for row in reasoned.row if int(fitted_shop.shop.item_hash[row]) in scores[1]][:2]
    assert len(both) == 2
    fell = [scores[0][key] - scores[1][key] for key in (int(fitted_shop.shop.item_hash[row]) for row in both)]
    effect = [float(reasoned.effect[list(reasoned.row).index(row), 1]) for row in both]
    assert effect[0] - effect[1] == pytest.approx(fell[0] - fell[1], abs=1e-4)  # the mean item's fall is left out


def test_what_the_description_is_said_to_add_is_what_an_item_loses_without_it(fitted_shop: FittedShop):
    tensors = as_tensors(
        request_of(fitted_shop.shop, moments(fitted_shop)[:20], fitted_shop.trained.model.config.width)
    )
    model = fitted_shop.trained.model
    with torch.inference_mode():
        answer = fitted_shop.trained.scorer().score(tensors)
        hashes = fitted_shop.trained.arrays["item_hash"]
        bare = model.items() - model.items.text_part()
        full = fitted_shop.trained.arrays["item_vector"]
        past = full[torch.searchsorted(hashes, tensors["history_item"]).clamp(max=len(hashes) - 1)]
        user, _ = model.encoder(past, tensors["history_action"], tensors["history_time"], tensors["now"])
        lost = full - bare
        row = torch.searchsorted(hashes, answer["rec_item"])
        loss = torch.einsum("bkd,bd->bk", lost[row] - lost.mean(dim=0), user)
    assert torch.allclose(answer["reason_part"][:, :, 0], loss, atol=1e-4)
