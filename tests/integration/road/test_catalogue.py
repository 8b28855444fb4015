"""The catalogue is caught up first (rule 7): new items are recommendable, withdrawn ones never listed."""

import time

from streams.testing import event, item, raw
from streams.testing.plugin import StartWorker
from tests.integration.conftest import TrainedShop


def listed(message) -> list[str]:
    return [entry["item_id"] for entry in message.value["items"]]


def test_a_new_item_with_only_a_title_is_recommendable_without_retraining(
    trained_shop: TrainedShop, headrace_worker: StartWorker, replay, expect
):
    """A shopper who looks at new lamps is shown a new lamp; all the version knows of lamps is how words relate."""
    headrace_worker()
    stamp = time.time_ns()
    lamps = [item(f"lamp-{stamp}-{n}", title=f"{color} lava lamp") for n, color in enumerate(("Red", "Green", "Blue"))]
    views = [event("view", f"lamp-fan-{stamp}", item_id=f"lamp-{stamp}-{n}") for n in (0, 1)]
    replay([*lamps, *views], wait=True)
    answers = expect("recommendations", count=2, where=lambda m: m.key == f"lamp-fan-{stamp}")
    assert f"lamp-{stamp}-2" in listed(answers[1])
    assert answers[1].value["fallback"] is None


def test_a_withdrawn_item_leaves_every_list_at_once_and_the_list_stays_whole(
    trained_shop: TrainedShop, headrace_worker: StartWorker, replay, expect
):
    headrace_worker()
    user = f"before-after-{time.time_ns()}"
    replay([event("view", user, item_id="item-0003")], wait=True)
    [before] = expect("recommendations", where=lambda m: m.key == user)
    best = listed(before)[0]
    title = "Back again"
    try:
        replay([raw("items", best, None), event("view", user, item_id="item-0003")], wait=True)
        after = expect("recommendations", count=2, where=lambda m: m.key == user)[1]
        assert best not in listed(after)
        assert len(listed(after)) == 20
    finally:
        replay([item(best, title=title)], wait=True)


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
