"""The road of item deltas: counters and windows of items, and what closed windows say (rules 6 and 9)."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final, TypeVar

import msgspec

from feature_repo import demand_index
from feature_repo.demand_index import Closing
from feature_repo.row_store import Kind, PackedRows, RowStore
from feature_repo.scopes import CategoriesOf, is_scope, item_of
from streams.engine import metrics
from streams.engine.demand_model import Answered, DemandModel, DemandScenario
from streams.engine.demand_rows import DemandRow, IndexRow, kind_of, stored_key
from streams.engine.item_keys import keyed
from streams.engine.metrics import timed
from streams.engine.outbox import Outbox, Producer
from streams.engine.predecessor import Predecessor
from streams.engine.row_cache import RowCache
from streams.engine.rows import index_key
from streams.engine.stints import Stints
from streams.engine.trending import Trending
from streams.engine.triton import Triton
from streams.messages.internal import ItemBatch, ItemDelta, Shown
from streams.messages.outputs import DemandAlert, DemandForecast
from streams.settings import Settings
from streams.topics import Topic
from streams.transport import RecordChunk

_ROAD = "demand"
_SLICE: Final = 128
"""Rows unpacked or packed in one go, a millisecond or two."""
_BATCHES: Final = 16
"""Messages folded in one go, likewise."""
_decoder = msgspec.msgpack.Decoder(ItemBatch)
T = TypeVar("T")
Output = DemandForecast | DemandAlert


class _Part:
    """One chunk of a load, its messages decoded, and what becomes of them."""

    def __init__(self, chunk: RecordChunk, index: IndexRow) -> None:
        self.origin = f"{chunk.topic}/{chunk.partition}"
        self.partition = chunk.partition
        self.last_offset = chunk.last_offset
        self.index = index
        self.batches = [
            keyed(_decoder.decode(record.value))
            for record in chunk.records
            if record.value is not None and not index.fence.passed(self.origin, record.offset)
        ]
        self.folded: list[ItemDelta] = []
        self.closings: list[Closing] = []
        self.keys = _named(self.batches)
        """Rows it changes: of its own partition, so no other part's."""


class DemandRoad:
    """Takes chunks of the item-deltas topic down the road, those of all partitions together."""

    def __init__(
        self,
        scenario: DemandScenario,
        settings: Settings,
        partitions: int,
        store: RowStore,
        triton: Triton,
        producer: Producer,
        predecessor: Predecessor,
        trending: Trending,
        categories_of: CategoriesOf,
        cache: RowCache[DemandRow],
        stints: Stints,
    ) -> None:
        self._cache = cache
        self._indexes: dict[int, IndexRow] = {}
        self._categories_of: CategoriesOf = lambda key: categories_of(item_of(key))
        self._scenario = scenario
        self._rules = scenario.rules(settings)
        self._settings = settings
        self._partitions = partitions
        self._store = store
        self._stints = stints
        self._model = DemandModel(scenario, settings, triton, self._categories_of)
        self._producer = producer
        self._predecessor = predecessor
        self._trending = trending

    async def travel(self, chunks: Sequence[RecordChunk]) -> None:
        """Take chunks of different partitions down the road.

        Raises:
            FencedOut, StoreError: as the shoppers' road.
        """
        with timed(_ROAD, "read"):
            await self._read_indexes(chunks)
            parts = [_Part(chunk, self._indexes[chunk.partition]) for chunk in chunks]
            rows = await self._read({key for part in parts for key in part.keys})
        with timed(_ROAD, "fold"):
            for part in parts:
                await self._fold(part, rows)
        with timed(_ROAD, "read"):
            rows |= await self._read({key for part in parts for key in part.keys} - rows.keys())
        outbox = Outbox(self._settings, self._partitions)
        await self._conclude([part for part in parts if part.closings], rows, outbox)
        with timed(_ROAD, "emit"):
            await self._producer.send(outbox)
        with timed(_ROAD, "write"):
            await self._write(parts, rows)
            self._cache.put(rows)
        metrics.CHUNK.labels(_ROAD).observe(sum(len(chunk.records) for chunk in chunks))

    def forget(self) -> None:
        """Drop what is kept of rows."""
        self._cache.clear()
        self._indexes.clear()

    async def _read_indexes(self, chunks: Sequence[RecordChunk]) -> None:
        missing = [chunk.partition for chunk in chunks if chunk.partition not in self._indexes]
        stored = await self._store.read(Kind.SHARD, [index_key(partition) for partition in missing])
        self._indexes |= {p: IndexRow(p, row) for p, row in zip(missing, stored, strict=True)}

    async def _read(self, keys: set[str]) -> dict[str, DemandRow]:
        rows = self._cache.take(keys)
        for kind, of_kind in groupby(sorted(keys - rows.keys(), key=kind_of), key=kind_of):
            for ids in _slices(list(of_kind)):
                stored = await self._store.read(kind, list(map(stored_key, ids)))
                rows |= {key: DemandRow(key, row) for key, row in zip(ids, stored, strict=True)}
        return rows

    async def _fold(self, part: _Part, rows: Mapping[str, DemandRow]) -> None:
        """Fold what is new; every window that a watermark closes is noted, in order."""
        for number, batch in enumerate(part.batches):
            self._fold_batch(part, batch, rows)
            if number % _BATCHES == 0:
                await self._stints.rest()
        part.keys.update(closing.item_id for closing in part.closings)
        metrics.LATE.inc(sum(delta.late for delta in part.folded))

    def _fold_batch(self, part: _Part, batch: ItemBatch, rows: Mapping[str, DemandRow]) -> None:
        index = part.index
        for entry in batch.entries:
            if isinstance(entry, ItemDelta):
                if self._fold_delta(batch, entry, rows[entry.item_id], index) and not is_scope(entry.item_id):
                    part.folded.append(entry)  # what counts for a scope is counted once, with its item
            elif isinstance(entry, Shown):
                demand_index.hear(index.index, batch.source)
                for item_id in entry.items:
                    rows[item_id].fold_shown(batch.origin, entry, self._settings.window)
            else:
                part.closings += index.advance(
                    batch.source,
                    entry,
                    sources=self._partitions,
                    window_ms=self._settings.window,
                    lateness_ms=self._settings.lateness,
                )
                metrics.WATERMARK.labels(batch.source).set(entry.time)

    def _fold_delta(self, batch: ItemBatch, delta: ItemDelta, row: DemandRow, index: IndexRow) -> bool:
        if not row.fold(batch.origin, delta, self._settings.window):
            return False
        index.observe(batch.source, delta, self._settings.window)
        return True

    async def _conclude(self, parts: Sequence[_Part], rows: Mapping[str, DemandRow], outbox: Outbox) -> None:
        closing = [{closing.item_id: rows[closing.item_id] for closing in part.closings} for part in parts]
        with timed(_ROAD, "read"):
            for own in closing:
                await self._join(own.values())
        with timed(_ROAD, "score"):  # of one partition while the questions of the next are put
            asking = [self._model.ask(part.closings, own) for part, own in zip(parts, closing, strict=True)]
            asked = await asyncio.gather(*asking)
        for part, own, answered in zip(parts, closing, asked, strict=True):
            with timed(_ROAD, "conclude"):
                outputs = self._concluded(part, own, answered)
            self._say(outputs, answered.fallback, await self._predecessor.concluded(part.partition), outbox)

    def _concluded(self, part: _Part, own: Mapping[str, DemandRow], asked: Answered) -> list[Output]:
        outputs = self._scenario.conclude(
            part.closings,
            {key: row.whole() for key, row in own.items()},
            asked.questions,
            asked.answer,
            asked.kept,
            part.index.index.surprises,
            self._categories_of,
            model=asked.model,
            fallback=asked.fallback,
            rules=self._rules,
        )
        if asked.answer is not None:
            for key, forecasts in asked.kept.items():
                own[key].keep(forecasts, asked.model.version)
        return outputs

    def _say(self, outputs: Sequence[Output], fallback: str | None, told: int, outbox: Outbox) -> None:
        for output in outputs:
            if output.timestamp <= told:  # both kinds bear the end of the window that closed
                continue
            topic, key = _addressed(output)
            outbox.say(topic, key, output, output.timestamp)
            metrics.OUTPUTS.labels(topic, fallback or "none").inc()

    async def _write(self, parts: Sequence[_Part], rows: Mapping[str, DemandRow]) -> None:
        """Write each partition's rows, in a call of its own: the store answers nobody else meanwhile."""
        writing: list[asyncio.Task[None]] = []
        try:
            for part in parts:  # one is packed while the one before is written
                writing.append(asyncio.create_task(self._store.write_packed(await self._packed(part, rows))))
        finally:  # whoever travels again must find no write under way
            done = await asyncio.gather(*writing, return_exceptions=True)
        failed = [error for error in done if error is not None]
        for part, error in zip(parts, done, strict=True):
            if error is None:
                self._trending.add(part.folded)
        if failed:
            raise failed[0]

    async def _join(self, rows: Iterable[DemandRow]) -> None:
        for some in _slices(list(rows)):
            for row in some:
                row.whole()
            await self._stints.rest()

    async def _packed(self, part: _Part, rows: Mapping[str, DemandRow]) -> list[PackedRows]:
        """The rows of a partition as they are to be written, its own last."""
        packed: list[PackedRows] = []
        for some in _slices(list(part.keys)):
            packed.append(self._store.pack(rows[key].write(part.origin, part.last_offset) for key in some))
            await self._stints.rest()
        return [*packed, self._store.pack([part.index.write(part.origin, part.last_offset)])]


def _slices(whole: list[T]) -> Iterator[list[T]]:
    """Cut what would hold up the shoppers' road: between two slices its loads go on."""
    return (whole[at : at + _SLICE] for at in range(0, len(whole), _SLICE))


def _named(batches: Sequence[ItemBatch]) -> set[str]:
    """Every item and scope that the batches count something of."""
    named: set[str] = set()
    for batch in batches:
        for entry in batch.entries:
            if isinstance(entry, ItemDelta):
                named.add(entry.item_id)
            elif isinstance(entry, Shown):
                named.update(entry.items)
    return named


def _addressed(output: Output) -> tuple[Topic, str]:
    """Topic and key of an output; an alert that is about no one item is keyed by what it is about."""
    if isinstance(output, DemandForecast):
        return Topic.DEMAND_FORECASTS, output.item_id
    return Topic.DEMAND_ALERTS, output.item_id or output.category or output.scope
