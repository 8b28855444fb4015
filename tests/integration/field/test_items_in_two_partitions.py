"""Of two records of one item the later append counts, whichever partitions its producers choose."""

import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Producer

from feature_repo.basics.identity import item_hash
from feature_repo.items import catalogue
from feature_repo.store.row_store import Kind, RowStore
from streams.serving.catalogue.follower import CatalogueFollower
from streams.testing import Stack, event, item
from streams.testing.plugin import StartWorker

_PARTITIONS = 4


async def test_a_withdrawn_item_stays_withdrawn_whichever_partition_it_lies_in(
    headrace_stack: Stack, headrace_group: str, headrace_worker: StartWorker, replay: Callable[..., Any]
) -> None:
    stamp = time.time_ns()
    up, down, back = f"up-{stamp}", f"down-{stamp}", f"back-{stamp}"
    producer = Producer({"bootstrap.servers": headrace_stack.kafka})
    put(producer, (up, 0), (down, 3), (back, 1))
    withdraw(producer, (up, 3), (down, 0), (back, 2))
    put(producer, (back, 1))
    headrace_worker(HEADRACE_TRITON="127.0.0.1:9")
    replay([event("view", f"user-{stamp}", item_id=up)], wait=True)

    settings = headrace_stack.settings(headrace_group)
    store = await RowStore.open(settings)
    rows = [catalogue.unpack(row.states[0]) for row in await store.read(Kind.ITEM, [up, down, back])]
    assert [row.withdrawn for row in rows] == [True, True, False]
    noted = await store.withdrawn()
    assert noted.keys() == {up, down}
    await store.close()

    follower = await CatalogueFollower.open(settings, _PARTITIONS, {})
    entries = [follower.catalogue.get(item_hash(item_id)) for item_id in (up, down, back)]
    assert [entry and entry.available for entry in entries] == [False, False, True]
    await follower.close()
    withdraw(producer, (up, 0), (down, 3), (back, 1))  # other tests sell what this one leaves


def put(producer: Producer, *places: tuple[str, int]) -> None:
    """Sell items, each from the partition named."""
    for item_id, partition in places:
        producer.produce("items", item(item_id, title="Tin").value, item_id.encode(), partition=partition)
    settle(producer)


def withdraw(producer: Producer, *places: tuple[str, int]) -> None:
    """Withdraw items, each in the partition named."""
    for item_id, partition in places:
        producer.produce("items", None, item_id.encode(), partition=partition)
    settle(producer)


def settle(producer: Producer) -> None:
    """What is sent next is appended later, by a millisecond at least."""
    assert producer.flush(30) == 0
    time.sleep(0.01)
