"""The catalogue is caught up first (rule 7): new items are recommendable, withdrawn ones never listed."""

import time

from streams.demo.shop import Shop
from streams.testing import event, item, raw
from streams.testing.plugin import StartWorker
from tests.trained_shop import TrainedShop


def listed(message) -> list[str]:
    return [entry["item_id"] for entry in message.value["items"]]


def test_a_new_item_with_only_a_title_is_recommendable_without_retraining(
    trained_shop: TrainedShop, headrace_worker: StartWorker, replay, expect
):
    """A newcomer that is called what the shopper's best item is called stands in the list beside it."""
    headrace_worker()
    stamp = time.time_ns()
    user, newcomer = f"curious-{stamp}", f"newcomer-{stamp}"
    replay([event("view", user, item_id="item-0003")], wait=True)
    [before] = expect("recommendations", where=lambda m: m.key == user)
    title = Shop(trained_shop.recording).titles[listed(before)[0]]
    try:
        replay([item(newcomer, title=title), event("view", user, item_id="item-0003")], wait=True)
        after = expect("recommendations", count=2, where=lambda m: m.key == user)[1]
        assert newcomer in listed(after)
        assert after.value["fallback"] is None
    finally:
        replay([raw("items", newcomer, None)], wait=True)


def test_a_withdrawn_item_leaves_every_list_at_once_and_the_list_stays_whole(
    trained_shop: TrainedShop, headrace_worker: StartWorker, replay, expect
):
    headrace_worker()
    user = f"before-after-{time.time_ns()}"
    replay([event("view", user, item_id="item-0003")], wait=True)
    [before] = expect("recommendations", where=lambda m: m.key == user)
    gone = dict(zip(listed(before)[:3], (None, b"null", b""), strict=True))
    title = "Back again"
    try:
        withdrawn = [raw("items", item_id, value) for item_id, value in gone.items()]
        replay([*withdrawn, event("view", user, item_id="item-0003")], wait=True)
        after = expect("recommendations", count=2, where=lambda m: m.key == user)[1]
        assert gone.keys().isdisjoint(listed(after))
        assert len(listed(after)) == 20
    finally:
        replay([item(item_id, title=title) for item_id in gone], wait=True)


def test_an_unavailable_item_is_not_listed(trained_shop: TrainedShop, headrace_worker: StartWorker, replay, expect):
    headrace_worker()
    user = f"unavailable-{time.time_ns()}"
    replay([event("view", user, item_id="item-0005")], wait=True)
    [before] = expect("recommendations", where=lambda m: m.key == user)
    best = listed(before)[0]
    try:
        replay([item(best, title="Sold out", available=False), event("view", user, item_id="item-0005")], wait=True)
        after = expect("recommendations", count=2, where=lambda m: m.key == user)[1]
        assert best not in listed(after)
    finally:
        replay([item(best, title="Back again")], wait=True)
