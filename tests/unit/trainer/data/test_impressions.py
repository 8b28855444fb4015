"""What became of an impression: clicks find the impression that led to them."""

from feature_repo.shoppers.recent import Recent
from feature_repo.shoppers.shopper import ShopperState, fold
from headrace.messages.events import Event, EventType
from trainer.data.impressions import ImpressionLog

MINUTE = 60_000


def shown(event_id: str, time: int, items: list[str], request_id: str | None = None) -> Event:
    return Event(
        event_id=event_id, type=EventType.IMPRESSION, user_id="a", timestamp=time, items=items, request_id=request_id
    )


def click(time: int, item_id: str, request_id: str | None = None, kind: EventType = EventType.CLICK) -> Event:
    return Event(event_id=f"c{time}", type=kind, user_id="a", timestamp=time, item_id=item_id, request_id=request_id)


def clicks_after(*events: Event) -> list[float]:
    log = ImpressionLog()
    for event in events:
        if event.type is EventType.IMPRESSION:
            log.show(event, Recent())
        else:
            log.act(event)
    return log.collect().clicked.tolist()


def test_a_click_is_led_by_the_impressions_event_id():
    assert clicks_after(shown("i", 0, ["x", "y"]), click(90 * MINUTE, "y", "i")) == [0, 1]


def test_a_click_is_led_by_the_impressions_request_id():
    assert clicks_after(shown("i", 0, ["x", "y"], "r"), click(1, "x", "r")) == [1, 0]


def test_a_view_counts_only_when_it_names_what_led_to_it():
    view = click(1, "x", kind=EventType.VIEW)
    assert clicks_after(shown("i", 0, ["x"]), view) == [0]
    assert clicks_after(shown("i", 0, ["x"]), click(1, "x", "i", EventType.VIEW)) == [1]


def test_without_request_ids_half_an_hour_counts_and_the_newest_impression():
    assert clicks_after(shown("i", 0, ["x"]), click(31 * MINUTE, "x")) == [0]
    assert clicks_after(shown("i", 0, ["x"]), shown("j", MINUTE, ["x"]), click(2 * MINUTE, "x")) == [0, 1]


def test_the_history_is_that_before_the_impression():
    log = ImpressionLog()
    state = ShopperState()
    fold(state, click(5, "x", None, EventType.VIEW))
    log.show(shown("i", 9, ["x"]), state.recent)
    fold(state, click(10, "y", None, EventType.VIEW))
    collected = log.collect()
    assert (collected.history_action > 0).sum() == 1
    assert collected.history_time.max() == 5


def test_a_cut_renumbers_its_impressions():
    log = ImpressionLog()
    for n in range(4):
        log.show(shown(f"i{n}", n, ["x", "y"]), Recent())
    part = log.collect().between(2, 4)
    assert part.now.tolist() == [2, 3]
    assert part.shown_in.tolist() == [0, 0, 1, 1]


def test_items_that_chance_chose_to_show_are_told_apart():
    log = ImpressionLog()
    log.show(shown("i", 0, ["x", "y"]), Recent())
    log.show(
        Event(event_id="j", type=EventType.IMPRESSION, user_id="a", timestamp=1, items=["x", "y"], explored=["y", "z"]),
        Recent(),
    )
    assert log.collect().explored.tolist() == [False, False, False, True]
    assert log.collect().between(1, 2).explored.tolist() == [False, True]
