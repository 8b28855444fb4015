"""The shopper pipeline: `events`, the rekeyed topic and `score.requests`, one batch at a time through all steps."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from prometheus_client import Histogram

from feature_repo.store.row_store import Kind, RowStore, SerialisedRows
from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.kafka.transport import Batch, PartitionBatch
from streams.operations import metrics
from streams.operations.metrics import Steps
from streams.pipeline import batch_log
from streams.pipeline.emit import Outbox, Producer
from streams.pipeline.emitted import EmittedOutputs
from streams.pipeline.log_ends import HighestOffsets, LogEnds, highest
from streams.pipeline.poison import PoisonRecord
from streams.pipeline.rows.cache import RowCache
from streams.pipeline.rows.continuity import Continuity
from streams.pipeline.rows.rows import ShopperRow, SourceRow, source_key, writes_of_changed
from streams.pipeline.shoppers.decode import (
    DecodedBatch,
    RecordPosition,
    Rejected,
    claimed_positions,
    decode_batch,
    position_of,
    without_forged,
)
from streams.pipeline.shoppers.feature_log import feature_log, is_logged
from streams.pipeline.shoppers.fold import BatchFold, Folded, PendingQuery
from streams.pipeline.shoppers.idleness import Idleness
from streams.pipeline.shoppers.item_updates import item_update_batches
from streams.pipeline.shoppers.tracing import Headers, Traced, Tracer
from streams.scheduler.slots import IN_FLIGHT, BatchSlot
from streams.serving.catalogue.follower import CatalogueFollower
from streams.serving.shopper_scorer.queries import Result, Scenario
from streams.serving.shopper_scorer.scorer import Scorer

_PIPELINE = "shoppers"
_CACHED_ROWS = 8_192
"""Shoppers whose rows stay in memory, some ten kilobytes each: those who are in the shop now."""


class PipelineContext(NamedTuple):
    """What a pipeline works with."""

    settings: Settings
    partitions: int
    store: RowStore
    scorer: Scorer
    follower: CatalogueFollower
    producer: Producer
    emitted_outputs: EmittedOutputs
    idleness: Idleness
    tracer: Tracer
    ends: LogEnds
    continuity: Continuity


class _Part(NamedTuple):
    """The part of a batch from one partition, decoded, then folded."""

    batch: PartitionBatch
    decoded: DecodedBatch
    folded: Folded


class _BuiltOutputs(NamedTuple):
    """The outputs of a batch, and the fallback reason of each."""

    outbox: Outbox
    traced: list[Traced]
    fallbacks: list[str | None]


class ShopperPipeline:
    """Takes batches of shoppers' records through the pipeline, straight through."""

    def __init__(self, scenarios: Sequence[Scenario], context: PipelineContext) -> None:
        self._scenarios = scenarios
        self._context = context
        # Rows of batches in flight must stay, for they are not written yet.
        self._cache: RowCache[ShopperRow] = RowCache(max(_CACHED_ROWS, IN_FLIGHT * context.settings.chunk))
        self._sources: dict[int, SourceRow] = {}
        self._poison: dict[RecordPosition, Rejected] = {}
        self._in_flight = 0

    async def process(self, batch: Batch, slot: BatchSlot) -> None:
        """Take one batch through the pipeline; when this returns its offsets may be committed.

        Raises:
            FencedOut: another worker wrote one of the rows; the batch may be processed again.
            StoreError: the store is out of reach; likewise.
            RowsLost: the store no longer holds what was folded.
            PoisonRecord: a record broke a pure step; processed again, the batch leaves it out.
        """
        self._in_flight += 1
        try:
            await self._process(batch, slot)
        except PoisonRecord as poison:
            rejected = poison.rejected()
            self._poison[position_of(rejected.record)] = rejected
            raise
        finally:
            self._in_flight -= 1

    def has_waiting_shoppers(self) -> bool:
        """Whether batches of shoppers are in flight here, with somebody who waits for them."""
        return self._in_flight > 0 and not self._context.settings.catching_up

    def invalidate(self) -> None:
        """Drop what is kept of rows."""
        self._cache.clear()
        self._sources.clear()

    async def _process(self, batch: Batch, slot: BatchSlot) -> None:
        steps = Steps(_PIPELINE)
        with steps.timed("decode"):
            decoded = [self._decode(partition_batch) for partition_batch in batch.parts]
        # All wait for a server, each for another.
        rows, already_emitted, ends, _ = await asyncio.gather(
            self._read(batch, decoded, steps),
            self._context.emitted_outputs.already_emitted(decoded),
            self._log_ends(batch, decoded),
            self._update_catalogue(steps),
        )
        decoded = [
            without_forged(partition_batch, one, ends, self._context.settings)
            for partition_batch, one in zip(batch.parts, decoded, strict=True)
        ]
        with steps.timed("fold"):
            parts = [
                self._fold(partition_batch, one, rows)
                for partition_batch, one in zip(batch.parts, decoded, strict=True)
            ]
            self._context.idleness.note_watermarks({p: self._sources[p].mark.second for p in _sources_of(batch)})
        with steps.timed("serialise"):
            serialised = self._serialise(parts, rows)
        slot.release_next()
        with steps.timed("score"):
            queries = [query for part in parts for query in part.folded.queries if not already_emitted(query.accepted)]
            results = await self._context.scorer.score([one.query for one in queries])
        with steps.timed("build"):
            outbox, traced, fallbacks = self._build_outputs(parts, queries, results)
        with steps.timed("queue"):
            await slot.await_emit_turn()
        with steps.timed("emit"):
            await self._context.producer.send(outbox, slot.mark_emitted)
        _observe(metrics.OUTPUT_DELAY, batch)
        for one in traced:
            one.end(steps.done)
        with steps.timed("queue"):
            await slot.await_commit_turn()
        with steps.timed("write"):
            await self._context.store.write_serialised([serialised])
        for partition_batch in batch.parts:
            self._context.continuity.mark_written(
                partition_batch.topic, partition_batch.partition, partition_batch.last_offset
            )
        _observe(metrics.FEATURE_DELAY, batch)
        for part in parts:
            for rejected in part.decoded.rejected:
                self._poison.pop(position_of(rejected.record), None)
        _count(batch, parts, queries, fallbacks)
        batch_log.answered(batch, queries, fallbacks)
        batch_log.dead_letters([rejected for part in parts for rejected in part.decoded.rejected])

    def _decode(self, batch: PartitionBatch) -> DecodedBatch:
        decoded = decode_batch(batch, self._context.settings, self._context.partitions)
        poison = [self._poison.get(position_of(r)) for r in batch.records] if self._poison else []
        return _without_poison(decoded, [rejected for rejected in poison if rejected])

    async def _log_ends(self, batch: Batch, decoded: Sequence[DecodedBatch]) -> HighestOffsets:
        pairs = zip(batch.parts, decoded, strict=True)
        claimed = (
            claim
            for partition_batch, one in pairs
            for claim in claimed_positions(partition_batch, one, self._context.settings)
        )
        return await self._context.ends.ends_for(highest(claimed))

    async def _update_catalogue(self, steps: Steps) -> None:
        with steps.timed("catalogue"):
            await self._context.follower.catch_up()

    async def _read(self, batch: Batch, decoded: Sequence[DecodedBatch], steps: Steps) -> dict[str, ShopperRow]:
        users = dict.fromkeys(accepted.input.user_id for one in decoded for accepted in one.accepted)
        sources = [p for p in _sources_of(batch) if p not in self._sources]
        with steps.timed("read"):
            rows = self._cache.take(users)
            self._cache.put(rows)  # whoever only asks leaves them there: they may not be written yet
            missing = [user for user in users if user not in rows]
            stored, bookkeeping = await asyncio.gather(
                self._context.store.read(Kind.USER, missing),
                self._context.store.read(Kind.SHARD, [source_key(partition) for partition in sources]),
            )
        for partition, row in zip(sources, bookkeeping, strict=True):
            self._sources[partition] = source = SourceRow(partition, row)
            self._context.continuity.verify(source.key, source.fence)
        return rows | {user: ShopperRow(user, row) for user, row in zip(missing, stored, strict=True)}

    def _fold(self, batch: PartitionBatch, decoded: DecodedBatch, rows: dict[str, ShopperRow]) -> _Part:
        source = self._sources[batch.partition] if _is_folded(batch) else None
        decoded = _not_folded_yet(batch, decoded, source)
        fold = BatchFold(
            self._scenarios, self._context.settings, rows, source, self._context.follower.catalogue.categories
        )
        for accepted in decoded.accepted:
            fold.fold(accepted)
        return _Part(batch, decoded, fold.folded)

    def _serialise(self, parts: Sequence[_Part], rows: dict[str, ShopperRow]) -> SerialisedRows:
        """What is to be written; from here on the rows in memory are what the next batch folds into."""
        folded = [part for part in parts if _is_folded(part.batch)]
        owned = {accepted.input.user_id for part in folded for accepted in part.decoded.accepted}
        # Rows of score requests are another worker's where a producer has partitioned them by its own rule.
        self._cache.put({user: rows[user] for user in owned})
        sources = sorted({part.batch.partition for part in folded})
        return self._context.store.serialise(
            chain(writes_of_changed(rows.values()), (self._sources[p].to_write() for p in sources))
        )

    def _build_outputs(
        self, parts: Sequence[_Part], queries: Sequence[PendingQuery], results: Iterable[Result]
    ) -> _BuiltOutputs:
        outbox = Outbox(self._context.settings, self._context.partitions)
        traced: list[Traced] = []
        fallbacks: list[str | None] = []
        for one, result in zip(queries, results, strict=True):
            try:
                trace = self._context.tracer.begin(one.accepted, one.query.output_id)
                self._add_output(outbox, one, result, trace.headers if trace else ())
            except Exception as error:
                raise PoisonRecord(one.accepted, error) from error
            if trace:
                traced.append(trace)
            fallbacks.append(result.fallback)
        for part in parts:
            self._add_side_outputs(outbox, part)
        return _BuiltOutputs(outbox, traced, fallbacks)

    def _add_side_outputs(self, outbox: Outbox, part: _Part) -> None:
        partition_batch, decoded, folded = part
        for rejected in decoded.rejected:
            outbox.dead_letter(*rejected)
        for misrouted in decoded.misrouted:
            outbox.forward(misrouted)
        for partition, batch in item_update_batches(partition_batch, folded.item_updates, self._context.partitions):
            outbox.add_item_updates(partition, batch)

    def _add_output(self, outbox: Outbox, pending: PendingQuery, result: Result, headers: Headers) -> None:
        query = pending.query
        user_id = query.input.user_id
        output = query.scenario.make_output(query, result, self._context.follower.catalogue, self._context.settings)
        outbox.add(query.scenario.topic, user_id, output, headers)
        if is_logged(query.output_id, self._context.settings.feature_log):
            outbox.add(Topic.FEATURE_LOG, user_id, feature_log(query, result.model))


def _without_poison(decoded: DecodedBatch, poison: Sequence[Rejected]) -> DecodedBatch:
    """The batch with its poison records rejected."""
    if not poison:
        return decoded
    records = [rejected.record for rejected in poison]
    accepted = [t for t in decoded.accepted if t.record not in records]
    return decoded._replace(accepted=accepted, rejected=[*decoded.rejected, *poison])


def _not_folded_yet(batch: PartitionBatch, decoded: DecodedBatch, source: SourceRow | None) -> DecodedBatch:
    """What of a batch is not folded already: all rows of a batch are written at once, and the sources' with them."""
    if source is None:
        return decoded
    origin = f"{batch.topic}/{batch.partition}"
    done = set[int]()
    if source.fence.passed(origin, batch.first_offset):
        done = {r.offset for r in batch.records if source.fence.passed(origin, r.offset)}
    source.fence.advance(origin, batch.last_offset)
    if not done:
        return decoded
    return DecodedBatch(
        [t for t in decoded.accepted if t.record.offset not in done],
        [r for r in decoded.rejected if r.record.offset not in done],
        [m for m in decoded.misrouted if m.record.offset not in done],
        decoded.skipped_context,
    )


def _is_folded(batch: PartitionBatch) -> bool:
    """Score requests are answered, and leave nothing behind."""
    return batch.topic != Topic.SCORE_REQUESTS


def _sources_of(batch: Batch) -> set[int]:
    return {partition_batch.partition for partition_batch in batch.parts if _is_folded(partition_batch)}


def _observe(delay: Histogram, batch: Batch) -> None:
    """Note how long ago the oldest record of each batch was appended."""
    now = time.time()
    for partition_batch in batch.parts:
        delay.observe(max(now - partition_batch.records[0].timestamp / 1000, 0))


def _count(
    batch: Batch, parts: Sequence[_Part], queries: Sequence[PendingQuery], fallbacks: Sequence[str | None]
) -> None:
    outputs = Counter(
        (one.query.scenario.topic, fallback or "none") for one, fallback in zip(queries, fallbacks, strict=True)
    )
    for labels, count in outputs.items():
        metrics.OUTPUTS.labels(*labels).inc(count)
    metrics.BATCH_RECORDS.labels(_PIPELINE).observe(batch.size)
    for partition_batch, decoded, _ in parts:
        metrics.RECORDS.labels(partition_batch.topic, "taken").inc(len(decoded.accepted))
        metrics.RECORDS.labels(partition_batch.topic, "forwarded").inc(len(decoded.misrouted))
        metrics.SKIPPED_CONTEXT.labels(partition_batch.topic).inc(len(decoded.skipped_context))
        for rejected in decoded.rejected:
            metrics.DEAD_LETTERS.labels(rejected.error.reason).inc()
