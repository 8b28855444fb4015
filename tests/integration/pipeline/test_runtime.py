"""Rules 3 and 11 on real servers: two workers that both believe a partition theirs, and a record that poisons."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from feature_repo.shoppers import shopper
from feature_repo.store.row_store import Kind, RowStore
from headrace.partitioning import partition_of
from headrace.scenarios.registry import Registry
from headrace.settings.model import Settings
from infra.topics.check import Outputs
from streams.application.runtime import Runtime
from streams.kafka.admin.copartition import Prepared, prepare
from streams.kafka.transport import Batch, PartitionBatch, RawRecord
from streams.operations.logs import JsonLines
from streams.pipeline.items.cooperative_yield import CooperativeYield
from streams.scenarios.ctr import CTR
from streams.scenarios.demand.scenario import DEMAND
from streams.scenarios.recommend.scenario import RECOMMEND
from streams.scheduler.slots import BatchScheduler
from streams.testing import Client, Stack

APPENDED = 1_770_000_000_000


@pytest.fixture
async def settings(headrace_stack: Stack, headrace_group: str) -> Settings:
    made = headrace_stack.settings(headrace_group).model_copy(update={"metrics_port": 0})
    await asyncio.to_thread(prepare, made)
    return made


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[RowStore]:
    opened = await RowStore.open(settings)
    yield opened
    await opened.close()


def batch_of(settings: Settings, user_id: str, *event_ids: str, first: int = 0) -> PartitionBatch:
    partition = partition_of(user_id, settings.partitions)
    records = [
        RawRecord("events", partition, offset, APPENDED, user_id.encode(), view(user_id, event_id, offset), ())
        for offset, event_id in enumerate(event_ids, first)
    ]
    return PartitionBatch("events", partition, records)


def view(user_id: str, event_id: str, offset: int) -> bytes:
    fields = {"event_id": event_id, "type": "view", "user_id": user_id, "timestamp": APPENDED + offset, "item_id": "a"}
    return json.dumps(fields).encode()


async def process(worker: Runtime, *partition_batches: PartitionBatch) -> None:
    """Process partition batches in the shopper pipeline, a batch each, in order, as the application does."""
    arrived = asyncio.Semaphore(0)

    async def recover(error: Exception, failures: int, _: Sequence[Batch]) -> None:
        worker.shoppers.invalidate()
        await worker.recover(error, failures)

    scheduler: BatchScheduler[Batch] = BatchScheduler(
        worker.shoppers.process, recover, lambda _: None, lambda _: arrived.release()
    )
    for partition_batch in partition_batches:
        await scheduler.put(Batch([partition_batch]))
    running = asyncio.create_task(scheduler.run())
    for _ in partition_batches:
        await asyncio.wait([running, asyncio.create_task(arrived.acquire())], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()  # what the line raised, or nothing would ever arrive
    running.cancel()


async def opened(settings: Settings) -> Runtime:
    """A worker's parts; all topics have the partitions of the settings."""
    return await Runtime.open(settings, Prepared(settings.partitions, Outputs({})))


async def views_of(store: RowStore, user_id: str) -> int:
    [row] = await store.read(Kind.USER, [user_id])
    return sum(shopper.unpack(row.states[0]).counts)


async def test_of_two_workers_with_one_batch_each_event_counts_once(
    settings: Settings, store: RowStore, headrace_client: Client
):
    user_id = f"torn-{settings.group}"
    partition_batch = batch_of(settings, user_id, "e0", "e1", "e2")
    workers = [await opened(settings) for _ in range(2)]
    await asyncio.gather(*(process(worker, partition_batch) for worker in workers))
    for worker in workers:
        await worker.close()
    assert await views_of(store, user_id) == 3
    answered = {m.value["id"] for m in headrace_client.received("recommendations") if m.key == user_id}
    assert answered == {f"recommend/{user_id}/e{n}" for n in range(3)}


async def test_a_load_folds_into_what_the_one_ahead_has_folded_and_not_yet_written(
    settings: Settings, store: RowStore, headrace_client: Client
):
    user_id = f"next-{settings.group}"
    worker = await opened(settings)
    batches = [batch_of(settings, user_id, f"e{n}", first=n) for n in range(6)]
    await process(worker, *batches)
    await worker.close()
    assert await views_of(store, user_id) == 6
    logs = [m.value for m in headrace_client.received("feature.log") if m.key == user_id]
    logged = [(log["event_id"], len(log["features"]["recent_items"])) for log in logs]
    assert logged == [(f"e{n}", n + 1) for n in range(6)]


async def test_shoppers_wait_while_their_batches_are_under_way(settings: Settings, store: RowStore):
    user_id = f"waiting-{settings.group}"
    for catching_up in (False, True):
        worker = await opened(settings.model_copy(update={"catching_up": catching_up}))
        assert not worker.shoppers.has_waiting_shoppers()
        processing = asyncio.create_task(process(worker, batch_of(settings, user_id, "e0")))
        seen = set[bool]()
        while not processing.done():
            seen.add(worker.shoppers.has_waiting_shoppers())
            await asyncio.sleep(0)
        await processing
        assert (True in seen) != catching_up
        assert not worker.shoppers.has_waiting_shoppers()
        await worker.close()


async def test_items_give_way_to_the_shoppers_of_the_same_worker(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    waited_for: list[object] = []

    def made(others_wait: Callable[[], bool], clock: Callable[[], float]) -> CooperativeYield:
        waited_for.append(others_wait)
        return CooperativeYield(others_wait, clock)

    monkeypatch.setattr("streams.application.runtime.CooperativeYield", made)
    worker = await opened(settings)
    await worker.close()
    assert waited_for == [worker.shoppers.has_waiting_shoppers]


async def test_a_score_request_in_between_leaves_the_row_to_the_next_load(
    settings: Settings, store: RowStore, headrace_client: Client
):
    user_id = f"asked-{settings.group}"
    worker = await opened(settings)
    before, after = batch_of(settings, user_id, "e0"), batch_of(settings, user_id, "e1", first=1)
    request = json.dumps({"request_id": "r", "user_id": user_id, "timestamp": APPENDED, "items": ["a"]}).encode()
    input_ = RawRecord("score.requests", before.partition, 0, APPENDED, user_id.encode(), request, ())
    await process(worker, before, PartitionBatch("score.requests", before.partition, [input_]), after)
    await worker.close()
    assert await views_of(store, user_id) == 2
    logs = [m.value for m in headrace_client.received("feature.log") if m.key == user_id]
    logged = [(log.get("event_id"), len(log["features"]["recent_items"])) for log in logs if log.get("event_id")]
    assert logged == [("e0", 1), ("e1", 2)]


async def test_a_worker_that_gets_a_partition_back_knows_what_the_other_has_folded(
    settings: Settings, store: RowStore, headrace_client: Client
):
    user_id = f"back-{settings.group}"
    first, other = [await opened(settings) for _ in range(2)]
    await process(first, batch_of(settings, user_id, "e0"))
    await process(other, batch_of(settings, user_id, "e0", "e1"))
    await process(first, batch_of(settings, user_id, "e0", "e1", "e2"))  # the row it keeps is of before
    for worker in (first, other):
        await worker.close()
    assert await views_of(store, user_id) == 3
    logs = [m.value for m in headrace_client.received("feature.log") if m.key == user_id]
    # The first says again what the other has said, alike, before its write is refused and it reads the rows anew.
    assert {(log["event_id"], len(log["features"]["recent_items"])) for log in logs} == {
        ("e0", 1),
        ("e1", 2),
        ("e2", 3),
    }


async def test_a_batch_that_comes_again_says_and_folds_nothing(
    settings: Settings, store: RowStore, headrace_client: Client
):
    user_id = f"again-{settings.group}"
    worker = await opened(settings)
    for _ in range(3):
        await process(worker, batch_of(settings, user_id, "e0", "e1"))
    await worker.close()
    assert await views_of(store, user_id) == 2
    logged = [m.value["id"] for m in headrace_client.received("recommendations") if m.key == user_id]
    assert logged == [f"recommend/{user_id}/e0", f"recommend/{user_id}/e1"]


@pytest.fixture(params=["query", "output"])
def poison(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a pure step raise on the event of this id: what asks, or what says."""
    step = getattr(RECOMMEND, request.param)

    def broken(*given: Any) -> object:
        input_ = given[0] if request.param == "query" else given[0].input
        if input_.event_id == "poison":
            raise ValueError("the wrong kind of view")
        return step(*given)

    chosen = Registry((CTR, DEMAND, replace(RECOMMEND, **{request.param: broken})))
    monkeypatch.setattr("streams.application.runtime.installed", lambda _: chosen)


async def test_a_record_that_cannot_be_processed_is_left_out_and_the_rest_goes_on(
    settings: Settings, store: RowStore, headrace_client: Client, poison: None
):
    user_id = f"poisoned-{settings.group}"
    worker = await opened(settings)
    await process(worker, batch_of(settings, user_id, "before", "poison", "after"))
    assert not worker.shoppers.has_waiting_shoppers()
    await worker.close()
    answered = [m.value["event_id"] for m in headrace_client.received("recommendations") if m.key == user_id]
    assert answered == ["before", "after"]
    [letter] = [m for m in headrace_client.received("dead.letters") if m.key == user_id]
    assert letter.headers["headrace.reason"] == "processing_failed"
    assert "the wrong kind of view" in letter.headers["headrace.detail"]
    assert letter.raw == view(user_id, "poison", 1)
    assert await views_of(store, user_id) == 2


async def test_a_record_that_cannot_be_processed_is_found_in_the_log_by_its_events_id(
    settings: Settings, poison: None, caplog: pytest.LogCaptureFixture
):
    partition_batch = batch_of(settings, f"poisoned-{settings.group}", "before", "poison", "after")
    worker = await opened(settings)
    await process(worker, partition_batch)
    await worker.close()
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    [line] = [line for line in lines if line.get("event_id") == "poison"]
    assert (line["level"], line["reason"]) == ("ERROR", "processing_failed")
    assert (line["topic"], line["partition"], line["offset"]) == ("events", partition_batch.partition, 1)
    assert "ValueError: the wrong kind of view" in line["exception"]
    [letters] = [line for line in lines if line["message"] == "dead letters"]
    assert [record["event_id"] for record in letters["records"]] == ["poison"]
