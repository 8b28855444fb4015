"""What an event adds to series: under which keys, and what of it is refused."""

import random

import msgspec
import pytest

from feature_repo.items import series_counts
from feature_repo.items.item import pack as pack_item
from feature_repo.items.item import unpack as unpack_item
from feature_repo.items.scopes import SHOP, item_key, kind_and_name, series_key, series_of, shard_of
from feature_repo.items.series_counts import SeriesCounts
from feature_repo.offline.fold import fold_stream
from feature_repo.shoppers.series_updates import series_updates
from feature_repo.store import dump
from headrace.errors import ScenarioFailed
from headrace.messages.events import Event, EventType
from headrace.messages.internal import ItemUpdate, ItemUpdateBatch, SeriesUpdate
from headrace.messages.outputs import OutputBase
from headrace.recording.reading import Record
from headrace.scenarios import OutputTopic, Scenario, Series
from headrace.scenarios.registry import Registry
from headrace.settings import Settings

HOUR = 3_600_000
REVIEW = Event(
    event_id="e", type=EventType.REVIEW, user_id="u", timestamp=9 * HOUR, item_id="mug", text="good", rating=5
)


def scenario(**changed):
    declared = {
        "name": "reviews",
        "columns": ("texts", "negative"),
        "counts": lambda e: (1, int((e.rating or 5) < 3)) if e.type is EventType.REVIEW else None,
        "on_closed": lambda *_: (),
        "scopes": frozenset({"item", "category", "shop"}),
        **changed,
    }
    outputs = [OutputTopic(name="reviews.windows", message=OutputBase, key="id")]
    return Scenario(name="reviews", outputs=outputs, series=Series(**declared))


def updates(event=REVIEW, **changed):
    return list(series_updates([scenario(**changed)], event, 7, False, lambda _: ("cups", "blue")))


def test_an_event_counts_for_its_item_its_categories_the_shop_and_the_names_that_the_series_gives():
    found = updates(names=lambda _: [("brand", "acme"), ("brand", "acme"), ("subject", "a/b")])
    keys = [("item", "mug"), ("shop", None), ("category", "cups"), ("category", "blue")]
    assert [kind_and_name(one.key) for one in found] == [*keys, ("brand", "acme"), ("subject", "a/b")]
    assert [one.shard for one in found] == [-1, *[shard_of("mug")] * 5]
    assert {one.counts for one in found} == {(1, 0)}
    assert [one.key for one in updates(scopes=frozenset({"shop"}))] == [SHOP]


def test_what_adds_nothing_is_no_update():
    assert updates(msgspec.structs.replace(REVIEW, type=EventType.VIEW)) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"counts": lambda _: (1,)},
        {"counts": lambda _: (1, 0.5)},
        {"counts": lambda _: (1, 2**62)},
        {"counts": lambda _: 1 // 0},
        {"names": lambda _: [("shop", "x")]},
        {"names": lambda _: [("A kind", "x")]},
    ],
)
def test_what_cannot_be_counted_is_the_scenarios_failure(changed):
    with pytest.raises(ScenarioFailed, match="scenario reviews: its counts raised"):
        updates(**changed)


@pytest.mark.parametrize("odd", [SHOP, series_key("reviews", "mug"), "\x1fbrand/acme", "\x1f\x1f"])
def test_no_item_has_the_key_of_a_scope_or_of_a_series(odd):
    assert kind_and_name(item_key(odd)) == ("item", odd)
    assert series_of(item_key(odd)) is None
    assert series_of(series_key("reviews", item_key(odd))) == ("reviews", item_key(odd))


def test_messages_and_rows_of_before_are_read():
    update = ItemUpdate(7, "mug", 2, HOUR, 1, 100, False)
    before = (
        bytes.fromhex("93a86576656e74732f3000919900")
        + msgspec.msgpack.encode([7, "mug", 2, HOUR, 1, 100, False, -1])[1:]
    )
    assert msgspec.msgpack.decode(before, type=ItemUpdateBatch) == ItemUpdateBatch("events/0", 0, [update])
    assert msgspec.msgpack.encode(ItemUpdateBatch("events/0", 0, [update])) == before
    assert pack_item(unpack_item(b""))[0] == 0xDC  # an array, of the fields that it had
    assert len(msgspec.msgpack.decode(pack_item(unpack_item(b"")))) == 18


def test_the_order_of_updates_leaves_no_trace():
    order = random.Random(5)
    some = [
        SeriesUpdate(n, "reviews", SHOP, order.randrange(40 * HOUR), (n, -1), order.random() < 0.3, n % 8)
        for n in range(300)
    ]
    packed = set()
    for _ in range(5):
        order.shuffle(some)
        counts = SeriesCounts()
        for update in some:
            series_counts.fold(counts, update, HOUR, history=6, closed=0)
        packed.add(series_counts.pack(counts))
    assert len(packed) == 1


def test_a_fold_without_a_worker_has_the_counts_of_series(monkeypatch):
    registry = Registry((scenario(),))
    monkeypatch.setattr("feature_repo.offline.fold.installed", lambda *_: registry)
    monkeypatch.setattr(dump, "installed", lambda *_: registry)
    item = msgspec.json.encode({"item_id": "mug", "title": "Mug", "categories": ["cups"]})
    records = [Record("items", "mug", HOUR, item)] + [
        Record(
            "events",
            "u",
            n * HOUR,
            msgspec.json.encode(msgspec.structs.replace(REVIEW, event_id=f"{n}", timestamp=n * HOUR, rating=n % 5 + 1)),
        )
        for n in range(10, 15)
    ]
    lines = [
        line for line in fold_stream(records, Settings(past=0), 20 * HOUR).lines() if line.view == "series/reviews"
    ]
    assert [line.key for line in lines] == ["category/cups", "item/mug", "shop"]
    assert {line.features["total"]["texts"] for line in lines} == {5}
    assert lines[0].features["windows"]["10"] == {"texts": 1, "negative": 1}
