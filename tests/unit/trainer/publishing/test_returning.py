"""Who comes back may want again what they had; who stays is not told so."""

import torch
from test_scorer import HISTORY, request, scorer

from feature_repo.basics.actions import ACTION_CODE
from model_repo.headrace.returning import repurchase_boost

MINUTE, DAY = 60_000, 86_400_000
WEIGHT, HALF_LIFE = 2.0, 30.0 * DAY
VIEW, RETURN, PURCHASE = (ACTION_CODE[a] for a in ("view", "return", "purchase"))


def boosts(minutes: list[int], now: int, actions: list[int] | None = None) -> list[float]:
    times = torch.tensor([[m * MINUTE for m in minutes]])
    codes = torch.tensor([actions or [PURCHASE] * len(minutes)], dtype=torch.int32)
    return repurchase_boost(codes, times, torch.tensor([now * MINUTE]), torch.tensor([WEIGHT, HALF_LIFE]))[0].tolist()


def test_events_of_this_visit_are_worth_nothing_and_those_of_earlier_ones_something():
    day = 24 * 60
    first, second, third, fourth = boosts([0, 10, day, day + 20], now=day + 40)
    assert (third, fourth) == (0.0, 0.0)
    assert 1.9 < first < second < WEIGHT


def test_an_event_is_worth_half_after_its_half_life():
    [one] = boosts([0], now=30 * 24 * 60)
    assert abs(one - WEIGHT / 2) < 1e-3


def test_what_was_returned_or_never_was_is_not_wanted_again():
    assert boosts([0, 0, 0], now=60, actions=[0, RETURN, PURCHASE | 5 << 4])[:2] == [0.0, 0.0]
    assert boosts([0, 0, 0], now=60, actions=[0, RETURN, PURCHASE | 5 << 4])[2] > 0


def test_own_items_rise_by_what_they_are_worth_and_their_events_are_the_reason():
    made = scorer()
    plain = made.score(request([[12, 15, 15]], now=torch.tensor([60 * MINUTE])))
    made.arrays = {**made.arrays, "again": torch.tensor([WEIGHT, 1e18])}
    again = made.score(request([[12, 15, 15]], now=torch.tensor([60 * MINUTE])))
    before = dict(zip(plain["rec_item"][0].tolist(), plain["rec_score"][0].tolist(), strict=True))
    after = dict(zip(again["rec_item"][0].tolist(), again["rec_score"][0].tolist(), strict=True))
    raised = {item: score - before[item] for item, score in after.items() if item in before}
    assert again["rec_item"][0, 0] == 15
    assert all(abs(rise - 2 * WEIGHT * (item == 15) - WEIGHT * (item == 12)) < 1e-4 for item, rise in raised.items())
    assert int(again["reason_event"][0, 0, 0]) in {HISTORY - 1, HISTORY - 2}  # an entry names one item once
