"""Append events as fast as it goes, or at a steady rate."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Final

from aiokafka import AIOKafkaProducer

from streams.engine.partitions import partition_of
from streams.recordings.reading import Record
from streams.topics import MAX_MESSAGE_BYTES, Topic

_AT_ONCE: Final = 2_000
_UNDER_WAY: Final = 2_000
"""Batches whose acks are waited for together."""
_TICK_S: Final = 0.005
"""At a steady rate, what has come due is appended so often."""


def feed(address: str, partitions: int, records: Iterable[Record], rate: float | None = None) -> None:
    """Append events, each in its shopper's partition, and wait until all are acknowledged.

    Args:
        rate: events a second; None appends as fast as the broker takes them.
    """
    asyncio.run(_feed(address, partitions, records, rate))


async def _feed(address: str, partitions: int, records: Iterable[Record], rate: float | None) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=address, max_batch_size=524_288, max_request_size=MAX_MESSAGE_BYTES, acks="all"
    ) as producer:
        acks: list[asyncio.Future[object]] = []
        for part in _at_once(records) if rate is None else as_due(records, rate):
            if rate is not None:
                await asyncio.sleep(_TICK_S)
            acks += await _append(producer, partitions, part)
            if len(acks) > _UNDER_WAY:
                await asyncio.gather(*acks)
                acks.clear()
        await asyncio.gather(*acks)


def _at_once(records: Iterable[Record]) -> Iterator[Sequence[Record]]:
    left = iter(records)
    while part := list(islice(left, _AT_ONCE)):
        yield part


def as_due(records: Iterable[Record], rate: float) -> Iterator[Sequence[Record]]:
    """Yield, at each call, what has come due since the first one."""
    left, began, sent = iter(records), time.perf_counter(), 0
    while True:
        due = int((time.perf_counter() - began) * rate) - sent
        part = list(islice(left, due))
        yield part
        if len(part) < due:
            return
        sent += due


async def _append(
    producer: AIOKafkaProducer, partitions: int, records: Sequence[Record]
) -> list["asyncio.Future[object]"]:
    acks: list[asyncio.Future[object]] = []
    placed = sorted(((partition_of(r.key or "", partitions), n) for n, r in enumerate(records)))
    for partition, numbers in groupby(placed, key=lambda pair: pair[0]):
        batch = producer.create_batch()
        for _, n in numbers:
            record = records[n]
            row = {"timestamp": record.timestamp, "key": (record.key or "").encode(), "value": record.value}
            if batch.append(**row) is None:
                acks.append(await producer.send_batch(batch, Topic.EVENTS, partition=partition))
                batch = producer.create_batch()
                batch.append(**row)
        acks.append(await producer.send_batch(batch, Topic.EVENTS, partition=partition))
    return acks
