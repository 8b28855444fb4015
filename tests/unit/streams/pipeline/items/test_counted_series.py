"""Series that scenarios declare: counted and closed alike whatever the batches, the restarts and the interleaving."""

import logging
import random
from collections import Counter

import msgspec
import numpy as np
import pytest
from counted_series import (
    HOUR,
    NOW,
    PARTITIONS,
    REVIEWS,
    SETTINGS,
    START,
    UPDATES,
    VIEWS_TOO,
    Servers,
    closed_reviews,
    emitted,
    interleaved,
    messages,
    pipeline,
    run,
    scenario,
    stored,
    stream,
)

from feature_repo.items.scopes import SHOP
from feature_repo.shoppers.item_updates import derive_updates
from feature_repo.shoppers.watermark import SourceWatermark
from feature_repo.store.row_store import Kind
from headrace.errors import ModelUnavailable, ScenarioError
from headrace.messages.events import Event, EventType
from headrace.messages.internal import ItemUpdateBatch, SeriesUpdate, Watermark
from headrace.messages.outputs import ModelRef, OutputBase
from headrace.partitioning import partition_of
from headrace.scenarios import TritonScorer
from streams.kafka.transport import PartitionBatch, RawRecord
from streams.pipeline.shoppers.item_updates import item_update_batches
from streams.scenarios.demand.scenario import DEMAND


@pytest.fixture
async def calm():
    """The whole stream in one go."""
    return await run([DEMAND, REVIEWS], 0)


async def test_counts_are_those_of_the_events(calm):
    written = [event for events in stream(7) for event in events if event.type is EventType.REVIEW]
    total = calm.counts(SHOP)["total"]
    assert total == {"texts": len(written), "negative": sum((e.rating or 5) < 3 for e in written)}
    by_item = Counter(event.item_id for event in written)
    assert {item: calm.counts(item)["total"]["texts"] for item in by_item} == by_item


async def test_a_window_says_what_was_counted_in_time_and_what_came_before(calm):
    windows = [msgspec.json.decode(value) for value in emitted(calm, ["reviews.windows"]).values()]
    of_shop = sorted((one for one in windows if one["about"] == "shop/None"), key=lambda one: one["timestamp"])
    assert len(of_shop) >= 40
    texts = {one["timestamp"]: one["texts"] for one in of_shop}
    for n, one in enumerate(of_shop):
        before = [texts.get(one["timestamp"] - hours * HOUR, 0) for hours in (3, 2, 1)]
        assert [counted for counted, _ in one["before"]] == before
        assert one["shards"] == one["texts"]
        assert one["seen"] // 1_000 == n + 1
    assert 0 < sum(texts.values()) < calm.counts(SHOP)["total"]["texts"]  # the late ones are in no window's message


@pytest.mark.parametrize(
    ("size", "restarts", "twice"), [(1, 0.0, 0.0), (7, 0.3, 0.3), (100, 0.5, 0.0), (1_000, 0.0, 1.0)]
)
@pytest.mark.parametrize("seed", [1, 2])
async def test_batches_restarts_repeats_and_interleaving_leave_no_trace(calm, seed, size, restarts, twice):
    other = await run([DEMAND, REVIEWS], seed, size=size, restarts=restarts, twice=twice)
    topics = ["reviews.windows", "demand.forecasts", "demand.alerts"]
    assert emitted(other, topics) == emitted(calm, topics)
    assert stored(other) == stored(calm)


async def test_two_series_close_by_themselves(calm):
    both = await run([DEMAND, REVIEWS, VIEWS_TOO], 3, size=50)
    alone = await run([VIEWS_TOO], 4)
    assert emitted(both, ["reviews.windows"]) == emitted(calm, ["reviews.windows"])
    assert emitted(both, ["views_too.windows"]) == emitted(alone, ["views_too.windows"])
    assert stored(both) == stored(calm)
    assert stored(both, "views_too") == stored(alone, "views_too") != {}


async def test_demand_is_what_it_was_without_another_series(calm):
    alone = await run([DEMAND], 5, size=20)
    topics = ["demand.forecasts", "demand.alerts"]
    assert emitted(calm, topics) == emitted(alone, topics) != {}
    assert {key: row.states for key, row in calm.rows.items() if key[0] is Kind.ITEM} == {
        key: row.states for key, row in alone.rows.items() if key[0] is Kind.ITEM
    }


async def test_without_a_scenario_for_them_items_are_counted_and_their_old_windows_go(calm):
    other = await run([REVIEWS], 6, size=20)
    assert emitted(other, ["demand.forecasts"]) == {}
    assert {key for key in other.rows if key[0] is Kind.ITEM} == {key for key in calm.rows if key[0] is Kind.ITEM}
    assert emitted(other, ["reviews.windows"]) == emitted(calm, ["reviews.windows"])


async def test_what_comes_from_a_source_that_was_idle_when_its_window_closed_changes_the_counts_alone():
    servers = Servers()
    worker = pipeline(servers, [REVIEWS])
    bad = Event(event_id="e", type=EventType.REVIEW, user_id="u", timestamp=START, item_id="tea", text="no", rating=1)
    offsets = Counter()

    async def send(source, offset, *marks):
        update = derive_updates(SourceWatermark(), bad, offset, START, HOUR, SETTINGS.lateness, None, [REVIEWS])
        part = PartitionBatch("events", source, [RawRecord("events", source, 0, 0, None, b"", ())])
        for partition, batch in item_update_batches(part, [*(update if offset >= 0 else []), *marks], PARTITIONS):
            value = msgspec.msgpack.encode(batch)
            record = RawRecord(UPDATES, partition, offsets[partition], NOW, None, value, ())
            await worker.process([PartitionBatch(UPDATES, partition, [record])])
            offsets[partition] += 1

    await send(0, 0, Watermark(0, START + 5 * HOUR, False))
    assert emitted(servers, ["reviews.windows"]) == {}  # the other source has not spoken
    await send(1, -1, Watermark(-1, -1, True))
    before = emitted(servers, ["reviews.windows"])
    assert {msgspec.json.decode(value)["texts"] for value in before.values()} >= {1}
    await send(1, 3)
    await send(0, 9, Watermark(9, START + 9 * HOUR, False))
    after = emitted(servers, ["reviews.windows"])
    first_window = {id_ for id_ in after if f"////{START}/" in id_}
    assert {id_: after[id_] for id_ in first_window} == {id_: before[id_] for id_ in first_window} != {}
    assert servers.counts(SHOP)["total"] == {"texts": 3, "negative": 3}
    assert servers.counts(SHOP)["windows"] == {str(START // HOUR): {"texts": 3, "negative": 3}}


async def test_of_a_window_that_its_scenario_raises_for_nothing_goes_out_and_all_else_goes_on(calm, caplog):
    bad = START + 5 * HOUR

    def on_closed(closing, settings):
        outputs = list(closed_reviews(closing, settings))
        if closing.start == bad:
            raise RuntimeError("no such thing")
        return outputs

    with caplog.at_level(logging.ERROR):
        other = await run([DEMAND, scenario(on_closed=on_closed)], 8)
    lines = [record for record in caplog.records if "closed window without outputs" in record.message]
    assert len(lines) == PARTITIONS  # one a partition
    assert "scenario reviews: its on_closed raised RuntimeError: no such thing" in lines[0].message
    topics = ["demand.forecasts", "demand.alerts"]
    assert emitted(other, topics) == emitted(calm, topics)
    expected = {id_ for id_ in emitted(calm, ["reviews.windows"]) if f"////{bad}/" not in id_}
    assert emitted(other, ["reviews.windows"]).keys() == expected


@pytest.mark.parametrize("wrong", [{"timestamp": 3}, {}])
async def test_an_output_that_is_not_of_its_window_or_no_output_of_the_scenario_is_dropped(wrong, caplog):
    def on_closed(closing, settings):
        for output in closed_reviews(closing, settings):
            yield (
                msgspec.structs.replace(output, **wrong)
                if wrong
                else OutputBase(id="x", timestamp=closing.end, model=ModelRef("", ""))
            )

    servers = await run([scenario(on_closed=on_closed)], 9, events=stream(1, 4))
    assert emitted(servers, ["reviews.windows"]) == {}
    assert "its on_closed raised" in caplog.text


RATER = TritonScorer(
    model="rater",
    to_tensors=lambda queries: {"texts": np.array(queries, np.int64)},
    to_values=lambda queries, outputs: outputs["rating"].tolist(),
    fallback=lambda query: -1.0,
)


def rated(query=lambda window, _: window.counts[0] or None):
    return scenario(query=query, scorer=RATER)


async def test_the_scorer_is_asked_once_for_all_windows_that_a_partition_closes():
    servers = await run([rated()], 10, size=100_000)
    windows = [msgspec.json.decode(value) for value in emitted(servers, ["reviews.windows"]).values()]
    assert servers.requests == PARTITIONS
    assert {(one["rating"], one["model"]["version"]) for one in windows if one["texts"] == 6} == {(3.0, "7")}
    assert {one["rating"] for one in windows if not one["texts"]} == {None}


async def test_batches_and_restarts_change_nothing_of_what_is_scored():
    once, often = await run([rated()], 11), await run([rated()], 12, size=9, restarts=0.3)
    assert emitted(once, ["reviews.windows"]) == emitted(often, ["reviews.windows"])


async def test_without_the_model_the_fallback_answers(monkeypatch):
    monkeypatch.setattr(Servers, "infer", _unavailable)
    windows = [msgspec.json.decode(value) for value in emitted(await run([rated()], 13), ["reviews.windows"]).values()]
    assert {(one["rating"], one["fallback"]) for one in windows if one["texts"]} == {(-1.0, "model_unavailable")}


async def _unavailable(*_):
    raise ModelUnavailable("away")


async def test_a_query_that_raises_costs_its_window_alone(calm, caplog):
    bad = START + 3 * HOUR

    def query(window, _):
        if window.start == bad:
            raise ValueError("odd")

    servers = await run([rated(query)], 14, size=10)
    missing = emitted(calm, ["reviews.windows"]).keys() - emitted(servers, ["reviews.windows"]).keys()
    assert missing == {id_ for id_ in emitted(calm, ["reviews.windows"]) if f"////{bad}/" in id_}
    assert "its query raised ValueError: odd" in caplog.text


async def test_rows_of_another_version_of_a_series_stop_the_worker(calm):
    worker = pipeline(calm, [scenario(version=2)])
    update = SeriesUpdate(10**5, "reviews", SHOP, START, (1, 0), False, 0)
    value = msgspec.msgpack.encode(ItemUpdateBatch("events/0", 0, [update]))
    owner = partition_of(SHOP, PARTITIONS)
    record = RawRecord(UPDATES, owner, 10**5, NOW, None, value, ())
    with pytest.raises(ScenarioError, match="version 1, and its scenario has version 2"):
        await worker.process([PartitionBatch(UPDATES, owner, [record])])


async def test_updates_of_a_series_that_does_not_run_here_are_passed_over():
    sent = messages(stream(7), [REVIEWS], random.Random(0))
    servers = Servers()
    worker = pipeline(servers, [VIEWS_TOO])
    for n, (partition, batch) in enumerate(interleaved(sent, random.Random(0))):
        record = RawRecord(UPDATES, partition, n, NOW, None, msgspec.msgpack.encode(batch), ())
        await worker.process([PartitionBatch(UPDATES, partition, [record])])
    assert stored(servers) == {}
