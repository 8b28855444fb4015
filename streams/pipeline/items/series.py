"""The pipeline of item updates: counters and windows of items, and what closed windows say (rules 6 and 9)."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final, TypeVar

from feature_repo.basics.windows import windows_of
from feature_repo.items import window_index
from feature_repo.items.keys import keyed
from feature_repo.items.scopes import CategoriesOf, is_scope, item_of
from feature_repo.items.window_index import ClosedWindow
from feature_repo.store.row_store import PERSIST, Kind, RowStore, SerialisedRows
from headrace.messages.internal import ItemImpression, ItemUpdate, ItemUpdateBatch
from headrace.messages.outputs import DemandAlert, DemandForecast
from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.kafka.transport import PartitionBatch
from streams.operations import metrics
from streams.operations.metrics import timed
from streams.pipeline import batch_log
from streams.pipeline.emit import Outbox, Producer
from streams.pipeline.emitted import EmittedOutputs
from streams.pipeline.items.cooperative_yield import CooperativeYield
from streams.pipeline.items.decode import UpdateDecoder
from streams.pipeline.items.delisted import DelistedRows
from streams.pipeline.items.demand_scorer import DemandModel, DemandScenario, Forecast
from streams.pipeline.items.series_rows import DemandRow, WindowIndexRow, kind_of, stored_key
from streams.pipeline.log_ends import LogEnds, highest
from streams.pipeline.rows.cache import RowCache
from streams.pipeline.rows.continuity import Continuity
from streams.pipeline.rows.keys import index_key
from streams.pipeline.shoppers.decode import Rejected
from streams.serving.catalogue.trending import Trending
from streams.serving.triton.client import Triton

_PIPELINE = "demand"
_SLICE: Final = 128
"""Rows unpacked or packed in one go, a millisecond or two."""
_BATCHES: Final = 16
"""Messages folded in one go, likewise."""
T = TypeVar("T")
Output = DemandForecast | DemandAlert


class _Part:
    """The part of a batch from one partition, its messages decoded, and what becomes of them.

    Args:
        rejected: the records that are no item update batches.
    """

    def __init__(
        self, batch: PartitionBatch, index: WindowIndexRow, batches: list[ItemUpdateBatch], rejected: Sequence[Rejected]
    ) -> None:
        self.origin = f"{batch.topic}/{batch.partition}"
        self.topic = batch.topic
        self.partition = batch.partition
        self.last_offset = batch.last_offset
        self.index = index
        self.batches = [keyed(batch) for batch in batches]
        self.rejected = rejected
        self.folded: list[ItemUpdate] = []
        self.closed_windows: list[ClosedWindow] = []
        self.keys = _keys_of(self.batches)
        """Rows it changes: of its own partition, so no other part's."""


class SeriesPipeline:
    """Takes batches of the item-deltas topic through the pipeline, those of all partitions together."""

    def __init__(
        self,
        scenario: DemandScenario,
        settings: Settings,
        partitions: int,
        store: RowStore,
        triton: Triton,
        producer: Producer,
        emitted_outputs: EmittedOutputs,
        trending: Trending,
        categories_of: CategoriesOf,
        cache: RowCache[DemandRow],
        cooperative_yield: CooperativeYield,
        delisted_rows: DelistedRows,
        ends: LogEnds,
        continuity: Continuity,
    ) -> None:
        self._delisted_rows = delisted_rows
        self._ends = ends
        self._cache = cache
        self._continuity = continuity
        self._indexes: dict[int, WindowIndexRow] = {}
        self._categories_of = _by_key(categories_of)
        self._scenario = scenario
        self._rules = scenario.rules(settings)
        self._settings = settings
        self._windows = windows_of(settings.window, settings.timezone)
        self._partitions = partitions
        self._store = store
        self._cooperative_yield = cooperative_yield
        self._model = DemandModel(scenario, settings, triton, self._categories_of)
        self._producer = producer
        self._emitted_outputs = emitted_outputs
        self._trending = trending

    async def process(self, batches: Sequence[PartitionBatch]) -> None:
        """Take batches of different partitions through the pipeline.

        Raises:
            FencedOut, StoreError, RowsLost: as the shopper pipeline.
        """
        with timed(_PIPELINE, "read"):
            await self._read_indexes(batches)
            parts = await self._decode(batches)
            rows = await self._read({key for part in parts for key in part.keys})
        with timed(_PIPELINE, "fold"):
            for part in parts:
                await self._fold(part, rows)
        with timed(_PIPELINE, "read"):
            rows |= await self._read({key for part in parts for key in part.keys} - rows.keys())
        outbox = Outbox(self._settings, self._partitions)
        await self._evaluate_windows([part for part in parts if part.closed_windows], rows, outbox)
        rejected = [one for part in parts for one in part.rejected]
        for one in rejected:
            outbox.dead_letter(*one)
        with timed(_PIPELINE, "emit"):
            await self._producer.send(outbox)
        with timed(_PIPELINE, "write"):
            ttls = self._delisted_rows.ttls(rows)
            await self._write(parts, rows, ttls)
            # Those that are to go hardly come again, and what has gone meanwhile is not to be in memory.
            self._cache.put({key: row for key, row in rows.items() if ttls.get(key, 0) <= PERSIST})
        metrics.BATCH_RECORDS.labels(_PIPELINE).observe(sum(len(batch.records) for batch in batches))
        batch_log.dead_letters(rejected)
        for one in rejected:
            metrics.DEAD_LETTERS.labels(one.error.reason).inc()

    def invalidate(self) -> None:
        """Drop what is kept of rows."""
        self._cache.clear()
        self._indexes.clear()

    async def _decode(self, batches: Sequence[PartitionBatch]) -> list[_Part]:
        """Decode what is not done yet. What no worker can have sent is refused: only a crash would come of it, or
        fences that pass over all there is to come."""
        reading = UpdateDecoder(self._settings, self._partitions)
        decoded = [reading.decode(batch, self._indexes[batch.partition].fence) for batch in batches]
        ends = await self._ends.ends_for(highest(claim for messages in decoded for claim in messages.claims))
        return [
            _Part(batch, self._indexes[batch.partition], *messages.verify(ends))
            for batch, messages in zip(batches, decoded, strict=True)
        ]

    async def _read_indexes(self, batches: Sequence[PartitionBatch]) -> None:
        missing = [batch.partition for batch in batches if batch.partition not in self._indexes]
        stored = await self._store.read(Kind.SHARD, [index_key(partition) for partition in missing])
        for partition, row in zip(missing, stored, strict=True):
            self._indexes[partition] = index = WindowIndexRow(partition, row)
            self._continuity.verify(index.key, index.fence)

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
                await self._cooperative_yield.yield_if_due()
        part.keys.update(closed.item_id for closed in part.closed_windows)
        metrics.LATE_UPDATES.inc(sum(update.late for update in part.folded))

    def _fold_batch(self, part: _Part, batch: ItemUpdateBatch, rows: Mapping[str, DemandRow]) -> None:
        index = part.index
        for entry in batch.entries:
            if isinstance(entry, ItemUpdate):
                if self._fold_update(batch, entry, rows[entry.item_id], index) and not is_scope(entry.item_id):
                    part.folded.append(entry)  # what counts for a scope is counted once, with its item
            elif isinstance(entry, ItemImpression):
                window_index.mark_active(index.index, batch.source)
                for item_id in entry.items:
                    rows[item_id].fold_impression(batch.origin, entry, self._windows)
            else:
                part.closed_windows += index.advance(
                    batch.source,
                    entry,
                    sources=self._partitions,
                    windows=self._windows,
                    lateness_ms=self._settings.lateness,
                )
                metrics.WATERMARK.labels(batch.source).set(entry.time)

    def _fold_update(self, batch: ItemUpdateBatch, update: ItemUpdate, row: DemandRow, index: WindowIndexRow) -> bool:
        if not row.fold(batch.origin, update, self._windows):
            return False
        index.observe(batch.source, update, self._windows)
        return True

    async def _evaluate_windows(self, parts: Sequence[_Part], rows: Mapping[str, DemandRow], outbox: Outbox) -> None:
        closing_rows = [{closed.item_id: rows[closed.item_id] for closed in part.closed_windows} for part in parts]
        with timed(_PIPELINE, "read"):
            for own in closing_rows:
                await self._merge_cold_windows(own.values())
        with timed(_PIPELINE, "score"):  # of one partition while the questions of the next are put
            forecasting = [
                self._model.forecast(part.closed_windows, own) for part, own in zip(parts, closing_rows, strict=True)
            ]
            forecasts = await asyncio.gather(*forecasting)
        for part, own, answered in zip(parts, closing_rows, forecasts, strict=True):
            with timed(_PIPELINE, "evaluate"):
                outputs = self._evaluate(part, own, answered)
            self._add_outputs(
                outputs, answered.fallback, await self._emitted_outputs.already_evaluated(part.partition), outbox
            )

    def _evaluate(self, part: _Part, own: Mapping[str, DemandRow], forecast: Forecast) -> list[Output]:
        outputs = self._scenario.evaluate_windows(
            part.closed_windows,
            {key: row.merged() for key, row in own.items()},
            forecast.queries,
            forecast.result,
            forecast.cached,
            part.index.index.score_counts,
            self._categories_of,
            model=forecast.model,
            fallback=forecast.fallback,
            rules=self._rules,
        )
        if forecast.result is not None:
            for key, forecasts in forecast.cached.items():
                own[key].cache_forecasts(forecasts, forecast.model.version)
        return outputs

    def _add_outputs(
        self, outputs: Sequence[Output], fallback: str | None, evaluated_until: int, outbox: Outbox
    ) -> None:
        for output in outputs:
            if output.timestamp <= evaluated_until:  # both kinds bear the end of the window that closed
                continue
            topic, key = _topic_and_key(output)
            outbox.add(topic, key, output)
            metrics.OUTPUTS.labels(topic, fallback or "none").inc()

    async def _write(self, parts: Sequence[_Part], rows: Mapping[str, DemandRow], ttls: Mapping[str, int]) -> None:
        """Write each partition's rows, in a call of its own: the store answers nobody else meanwhile."""
        writing: list[asyncio.Task[None]] = []
        try:
            for part in parts:  # one is packed while the one before is written
                serialised = await self._serialised(part, rows, ttls)
                writing.append(asyncio.create_task(self._store.write_serialised(serialised)))
        finally:  # a batch that is processed again must find no write in flight
            done = await asyncio.gather(*writing, return_exceptions=True)
        failed = [error for error in done if error is not None]
        for part, error in zip(parts, done, strict=True):
            if error is None:
                self._trending.add(part.folded)
                self._continuity.mark_written(part.topic, part.partition, part.last_offset)
        if failed:
            raise failed[0]

    async def _merge_cold_windows(self, rows: Iterable[DemandRow]) -> None:
        for some in _slices(list(rows)):
            for row in some:
                row.merged()
            await self._cooperative_yield.yield_if_due()

    async def _serialised(
        self, part: _Part, rows: Mapping[str, DemandRow], ttls: Mapping[str, int]
    ) -> list[SerialisedRows]:
        """The rows of a partition as they are to be written, its own last."""
        serialised: list[SerialisedRows] = []
        for some in _slices(list(part.keys)):
            writes = (rows[key].to_write(part.origin, part.last_offset, ttls.get(key, 0)) for key in some)
            serialised.append(self._store.serialise(writes))
            await self._cooperative_yield.yield_if_due()
        return [*serialised, self._store.serialise([part.index.to_write(part.origin, part.last_offset)])]


def _slices(whole: list[T]) -> Iterator[list[T]]:
    """Cut what would hold up the shopper pipeline: between two slices its batches go on."""
    return (whole[at : at + _SLICE] for at in range(0, len(whole), _SLICE))


def _by_key(categories_of: CategoriesOf) -> CategoriesOf:
    """The same by the key of an item, under which it is known here."""

    def categories_by_key(key: str) -> Sequence[str]:
        return categories_of(item_of(key))

    return categories_by_key


def _keys_of(batches: Sequence[ItemUpdateBatch]) -> set[str]:
    """Every item and scope that the batches count something of."""
    keys: set[str] = set()
    for batch in batches:
        for entry in batch.entries:
            if isinstance(entry, ItemUpdate):
                keys.add(entry.item_id)
            elif isinstance(entry, ItemImpression):
                keys.update(entry.items)
    return keys


def _topic_and_key(output: Output) -> tuple[Topic, str]:
    """Topic and key of an output; an alert that is about no one item is keyed by what it is about."""
    if isinstance(output, DemandForecast):
        return Topic.DEMAND_FORECASTS, output.item_id
    return Topic.DEMAND_ALERTS, output.item_id or output.category or output.scope
