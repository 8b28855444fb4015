"""Append events as fast as it goes, or at a steady rate."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from aiokafka import AIOKafkaProducer

from streams.engine.partitions import partition_of
from streams.recordings.reading import Record
from streams.topics import MAX_MESSAGE_BYTES, Topic

_AT_ONCE: Final = 2_000
_TICK_S: Final = 0.005
"""At a steady rate, what has come due is appended so often."""


def feed(address: str, partitions: int, records: Sequence[Record], rate: float | None = None) -> None:
    """Append events, each in its shopper's partition, and wait until all are acknowledged.

    Args:
        rate: events a second; None appends as fast as the broker takes them.
    """
    asyncio.run(_feed(address, partitions, records, rate))


async def _feed(address: str, partitions: int, records: Sequence[Record], rate: float | None) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=address, max_batch_size=524_288, max_request_size=MAX_MESSAGE_BYTES, acks="all"
    ) as producer:
        acks: list[asyncio.Future[object]] = []
        for part in _at_once(records) if rate is None else _as_due(records, rate):
            if rate is not None:
                await asyncio.sleep(_TICK_S)
            acks += await _append(producer, partitions, part)
        await asyncio.gather(*acks)


def _at_once(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    for at in range(0, len(records), _AT_ONCE):
        yield records[at : at + _AT_ONCE]


def _as_due(records: Sequence[Record], rate: float) -> Iterator[Sequence[Record]]:
    began, sent = time.perf_counter(), 0
    while sent < len(records):
        due = min(int((time.perf_counter() - began) * rate), len(records))
        yield records[sent:due]
        sent = due


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
