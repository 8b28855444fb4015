"""The loop a good engineer would write by hand: aiokafka, Redis, Triton, asyncio; no Faust, no Feast, no fences.

As fast as it can be made with the same features, model and outputs. Features are folded and messages built by the very
functions that Headrace uses, so that what is compared is the road. Each partition has a lane of its own: while Triton
works for one, Python works for another. Items are counted apart, two seconds of them at a time, and offsets are
committed when they are. What it leaves out is what it does not promise: it processes at least once, and a crash may
count seconds of events twice; no partition moves, no event is misplaced, no model is swapped, no window survives a
restart.

    python -m benchmarks.race.contestants.handwritten
"""

import asyncio
import gc
import signal
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from redis.asyncio import Redis
from tritonclient.grpc.aio import InferenceServerClient

from benchmarks.race.contestants.answering import decode, fold, inputs, messages, outputs, plain
from benchmarks.race.contestants.handwritten_items import Items
from benchmarks.race.contestants.shop_catalogue import read_catalogue
from feature_repo.basics.identity import NO_ITEM, item_hash
from feature_repo.shoppers import shopper
from feature_repo.shoppers.item_updates import derive_updates
from feature_repo.shoppers.shopper import ShopperState
from feature_repo.shoppers.watermark import SourceWatermark
from headrace.arrays import DEMAND_MODEL, MODEL, Floats, Ints
from headrace.messages.events import Event
from headrace.messages.internal import Entry
from headrace.partitioning import partition_of
from headrace.settings.model import Settings, settings
from headrace.topics import Topic
from streams.pipeline.rows.cache import RowCache
from streams.pipeline.shoppers.fold import PendingQuery
from streams.serving.shopper_scorer.tensors import to_tensors

_AT_ONCE: Final = 512
_TRENDING_S: Final = 5.0
_TRENDING_KEY: Final = "trending"
_BOOST: Final = 0.02
_BATCH_BYTES: Final = 524_288
_ROWS_KEPT: Final = 8_192

Messages = dict[tuple[str, int], list[tuple[bytes, bytes, int]]]


class Loop:
    """Everything the process holds open."""

    def __init__(self, chosen: Settings) -> None:
        self.settings = chosen
        host, port = chosen.redis_address.split(":")
        self.redis: Any = Redis(host=host, port=int(port))
        self.triton = InferenceServerClient(chosen.triton_address)
        self.catalogue = read_catalogue(chosen.kafka_address)
        self._shop = plain(chosen.triton_address)
        self.marks: defaultdict[int, SourceWatermark] = defaultdict(SourceWatermark)
        self.trending: tuple[Ints, Floats] = (np.array([NO_ITEM], np.int64), np.zeros(1, np.float32))
        self._consumer = self._kafka(group_id=chosen.group)
        self._producer = AIOKafkaProducer(
            bootstrap_servers=chosen.kafka_address, acks="all", max_batch_size=_BATCH_BYTES, enable_idempotence=True
        )
        self._kept: RowCache[ShopperState] = RowCache(_ROWS_KEPT)
        self._idle: set[TopicPartition] = set()
        self.forecasts = False
        """Whether a demand model is served: a short workload trains none."""
        self.idle = asyncio.Event()
        self.items = Items(self)

    def _kafka(self, **more: Any) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka_address,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=4_194_304,
            **more,
        )

    async def run(self) -> None:
        """Answer events until SIGTERM."""
        await self._producer.start()
        self.forecasts = await self.triton.is_model_ready(DEMAND_MODEL)
        self._consumer.subscribe([Topic.EVENTS])
        await self._consumer.start()
        while not self._consumer.assignment():  # noqa: ASYNC110  (aiokafka has no event for it)
            await asyncio.sleep(0.05)
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 20, 20)
        lanes = [asyncio.create_task(self._lane(tp)) for tp in self._consumer.assignment()]
        tasks = [*lanes, asyncio.create_task(self.items.run()), asyncio.create_task(self._follow_trends())]
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        sys.stderr.write("ready\n")
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(self._consumer.stop(), self._producer.stop())

    async def _lane(self, tp: TopicPartition) -> None:
        """One partition, batch by batch."""
        while True:
            found = await self._consumer.getmany(tp, timeout_ms=200, max_records=_AT_ONCE)
            self._note_idle(tp, nothing_came=not found)
            for records in found.values():
                await self.items.wait_for_capacity()
                updates = await self._answer(tp.partition, records)
                self.items.add(tp, updates, records[-1].offset + 1)

    def _note_idle(self, tp: TopicPartition, *, nothing_came: bool) -> None:
        (self._idle.add if nothing_came else self._idle.discard)(tp)
        (self.idle.set if self._idle == self._consumer.assignment() else self.idle.clear)()

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Commit what is answered, stored and counted."""
        await self._consumer.commit(offsets)

    async def _answer(self, partition: int, records: Sequence["ConsumerRecord[bytes, bytes]"]) -> list[Entry]:
        """Answer a batch and store its shoppers; what it did to items."""
        events = [decode(record.value or b"") for record in records]
        states = await self._states({event.user_id for event in events})
        queries, updates = self._fold(partition, records, events, states)
        if queries:
            await self.send(await self._ask(queries))
        await self.redis.mset({f"u:{user}": shopper.pack(state) for user, state in states.items()})
        self._kept.put(states)
        return updates

    async def _states(self, users: set[str]) -> dict[str, ShopperState]:
        """Those seen lately from memory, the others from Redis."""
        states = self._kept.take(users)
        missing = list(users - states.keys())
        packed = await self.redis.mget([f"u:{user}" for user in missing]) if missing else []
        return states | {user: shopper.unpack(row or b"") for user, row in zip(missing, packed, strict=True)}

    def _fold(
        self,
        partition: int,
        records: Sequence["ConsumerRecord[bytes, bytes]"],
        events: Sequence[Event],
        states: dict[str, ShopperState],
    ) -> tuple[list[PendingQuery], list[Entry]]:
        chosen, mark, windows = self.settings, self.marks[partition], self.items.windows
        queries: list[PendingQuery] = []
        updates: list[Entry] = []
        for event, record in zip(events, records, strict=True):
            queries += fold(event, states[event.user_id], chosen)
            updates += derive_updates(
                mark, event, 0, record.timestamp, windows, chosen.lateness, self.catalogue.categories
            )
        return queries, updates

    async def _ask(self, queries: Sequence[PendingQuery]) -> Messages:
        shop = self._shop._replace(boost_item=self.trending[0], boost=self.trending[1])
        arrays, version = await self.infer(MODEL, to_tensors([one.query for one in queries], shop)._asdict())
        produced: Messages = defaultdict(list)
        for topic, user, value, timestamp in messages(queries, arrays, version, self.catalogue, self.settings):
            produced[topic, partition_of(user, self.settings.partitions)].append((user.encode(), value, timestamp))
        return produced

    async def infer(self, model: str, tensors: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """One Triton call; arrays by name, and the version."""
        return outputs(await self.triton.infer(model, inputs(tensors)))

    async def send(self, produced: Messages) -> None:
        """Produce in whole batches and wait for all acks."""
        acks: list[Any] = []
        for (topic, partition), rows in produced.items():
            batch = self._producer.create_batch()
            for key, value, timestamp in rows:
                if batch.append(timestamp=timestamp, key=key, value=value) is None:
                    acks.append(await self._producer.send_batch(batch, topic, partition=partition))
                    batch = self._producer.create_batch()
                    batch.append(timestamp=timestamp, key=key, value=value)
            acks.append(await self._producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*acks)

    async def count_trends(self, counts: dict[str, int]) -> None:
        """Add to what is popular now."""
        pipeline = self.redis.pipeline(transaction=False)
        for item_id, count in counts.items():
            pipeline.zincrby(_TRENDING_KEY, count, item_id)
        await pipeline.execute()

    async def _follow_trends(self) -> None:
        while self.settings.trending:
            top = await self.redis.zrange(_TRENDING_KEY, 0, 99, desc=True, withscores=True)
            if top:
                boost = (_BOOST * np.log2(1 + np.array([count for _, count in top], np.float32))).astype(np.float32)
                self.trending = np.array([item_hash(item.decode()) for item, _ in top], np.int64), boost
            await asyncio.sleep(_TRENDING_S)


def main() -> None:
    """Run until SIGTERM."""

    async def run() -> None:
        await Loop(settings()).run()  # the clients bind to the running event loop

    uvloop.run(run())


if __name__ == "__main__":
    main()
