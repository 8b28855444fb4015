"""The shopper pipeline: `events`, the rekeyed topic and requests, a batch at a time through the seven steps."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from prometheus_client import Histogram

from feature_repo.store.row_store import SerialisedRows
from headrace.messages.decoding import Decode
from headrace.scenarios import Scenario
from headrace.settings import Settings
from streams.kafka.transport import Batch, PartitionBatch
from streams.operations import metrics
from streams.operations.metrics import Steps
from streams.pipeline import batch_log
from streams.pipeline.emit import Producer
from streams.pipeline.emitted import EmittedOutputs
from streams.pipeline.log_ends import HighestOffsets, LogEnds, highest
from streams.pipeline.poison import PoisonRecord, PoisonRecords
from streams.pipeline.shoppers.build import Built, OutputBuilder
from streams.pipeline.shoppers.decode import (
    Accepted,
    DecodedBatch,
    claimed_positions,
    decode_batch,
    without_forged,
)
from streams.pipeline.shoppers.fold import BatchFold, Folded, is_folded, latest_time, not_folded_yet
from streams.pipeline.shoppers.idleness import Idleness
from streams.pipeline.shoppers.rows import ShopperRow, ShopperRows
from streams.scheduler.slots import BatchSlot
from streams.serving.catalogue.follower import CatalogueFollower
from streams.serving.scorers import Scorers

log = logging.getLogger(__name__)

_PIPELINE: Final = "shoppers"


class ShopperInputs(NamedTuple):
    """What the pipeline's records are judged by.

    Attributes:
        partitions: of each input topic.
        requests: how the requests of each topic are decoded.
        ends: ends of the logs that forwarded events say they come from.
        emitted: what the group that this one rebuilds has emitted.
    """

    partitions: int
    requests: Mapping[str, Decode]
    ends: LogEnds
    emitted: EmittedOutputs


class _Part(NamedTuple):
    """One partition batch, decoded, then folded."""

    batch: PartitionBatch
    decoded: DecodedBatch
    folded: Folded


class ShopperPipeline:
    """Takes batches of shoppers' records through all steps."""

    def __init__(
        self,
        scenarios: Sequence[Scenario],
        settings: Settings,
        inputs: ShopperInputs,
        rows: ShopperRows,
        follower: CatalogueFollower,
        scorers: Scorers,
        builder: OutputBuilder,
        producer: Producer,
        idleness: Idleness,
    ) -> None:
        self._scenarios = list(scenarios)
        self._settings = settings
        self._inputs = inputs
        self._rows = rows
        self._follower = follower
        self._scorers = scorers
        self._builder = builder
        self._producer = producer
        self._idleness = idleness
        self._poison = PoisonRecords(time.monotonic)
        self._in_flight = 0

    async def process(self, batch: Batch, slot: BatchSlot) -> None:
        """Take one batch through all steps; when this returns its offsets may be committed.

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
            if (failing := self._poison.note(poison)) is not None:
                self._turn_off(failing)
            raise
        finally:
            self._in_flight -= 1

    def has_waiting_shoppers(self) -> bool:
        """Whether batches of shoppers are in flight here, with somebody who waits for them."""
        return self._in_flight > 0 and not self._settings.catching_up

    def invalidate(self) -> None:
        """Drop what is kept of rows."""
        self._rows.invalidate()

    async def _process(self, batch: Batch, slot: BatchSlot) -> None:
        steps = Steps(_PIPELINE)
        with steps.timed("decode"):
            decoded = [self._decode(part) for part in batch.parts]
        # All wait for a server, each for another.
        rows, already_emitted, ends, _ = await asyncio.gather(
            self._read(batch, decoded, steps),
            self._inputs.emitted.already_emitted(decoded),
            self._log_ends(batch, decoded),
            self._update_catalogue(steps),
        )
        with steps.timed("fold"):
            parts = [self._fold(part, one, ends, rows) for part, one in zip(batch.parts, decoded, strict=True)]
        with steps.timed("serialise"):
            serialised = self._serialise(parts, rows)
        slot.release_next()
        with steps.timed("score"):
            queries = [
                query
                for part in parts
                for query in part.folded.queries
                if not (isinstance(query.accepted, Accepted) and already_emitted(query.accepted))
            ]
            results = await self._scorers.score(queries)
        with steps.timed("build"):
            built = self._builder.build(queries, results)
            for part in parts:
                self._builder.add_side_outputs(built.outbox, part.batch, part.decoded, part.folded.item_updates)
        with steps.timed("queue"):
            await slot.await_emit_turn()
        with steps.timed("emit"):
            await self._producer.send(built.outbox, slot.mark_emitted)
        _observe(metrics.OUTPUT_DELAY, batch)
        for one in built.traced:
            one.end(steps.done)
        with steps.timed("queue"):
            await slot.await_commit_turn()
        with steps.timed("write"):
            await self._rows.write(serialised, batch)
        _observe(metrics.FEATURE_DELAY, batch)
        self._report(batch, parts, built)

    def _decode(self, batch: PartitionBatch) -> DecodedBatch:
        decoded = decode_batch(batch, self._settings, self._inputs.partitions, self._inputs.requests)
        return self._poison.reject(batch, decoded)

    async def _log_ends(self, batch: Batch, decoded: Sequence[DecodedBatch]) -> HighestOffsets:
        pairs = zip(batch.parts, decoded, strict=True)
        claimed = (claim for part, one in pairs for claim in claimed_positions(part, one, self._settings))
        return await self._inputs.ends.ends_for(highest(claimed))

    async def _update_catalogue(self, steps: Steps) -> None:
        with steps.timed("catalogue"):
            await self._follower.catch_up()

    async def _read(self, batch: Batch, decoded: Sequence[DecodedBatch], steps: Steps) -> dict[str, ShopperRow]:
        with steps.timed("read"):
            await self._rows.read_sources(self._sources_of(batch))
            users = dict.fromkeys(accepted.input.user_id for one in decoded for accepted in one.accepted)
            for part, one in zip(batch.parts, decoded, strict=True):
                if self._is_folded(part) and len(timers := self._rows.sources[part.partition].timers):
                    users.update(dict.fromkeys(timers.users_until(latest_time(one, self._settings))))
            return await self._rows.read(users)

    def _fold(
        self, batch: PartitionBatch, decoded: DecodedBatch, ends: HighestOffsets, rows: dict[str, ShopperRow]
    ) -> _Part:
        decoded = without_forged(batch, decoded, ends, self._settings)
        source = self._rows.sources[batch.partition] if self._is_folded(batch) else None
        decoded = not_folded_yet(batch, decoded, source)
        categories_of = self._follower.catalogue.categories
        folded = BatchFold(self._scenarios, self._settings, rows, source, categories_of).fold_all(decoded)
        if source is not None:
            source.fence.advance(f"{batch.topic}/{batch.partition}", batch.last_offset)
            self._idleness.note_watermark(source)
        return _Part(batch, decoded, folded)

    def _serialise(self, parts: Sequence[_Part], rows: dict[str, ShopperRow]) -> SerialisedRows:
        folded = [part for part in parts if self._is_folded(part.batch)]
        # Rows of requests are another worker's where a producer has partitioned them by its own rule.
        owned = {accepted.input.user_id for part in folded for accepted in part.decoded.accepted}
        owned.update(user for user, row in rows.items() if row.newest >= 0)
        return self._rows.serialise(rows, owned, sorted({part.batch.partition for part in folded}))

    def _is_folded(self, batch: PartitionBatch) -> bool:
        return is_folded(batch, self._inputs.requests)

    def _sources_of(self, batch: Batch) -> set[int]:
        return {part.partition for part in batch.parts if self._is_folded(part)}

    def _turn_off(self, scenario: str) -> None:
        """Go on without a scenario whose functions raise on one record after the other."""
        self._scenarios = [one for one in self._scenarios if one.name != scenario]
        metrics.SCENARIO_OFF.labels(scenario).set(1)
        log.error("scenario %s is off until the worker starts again: it raised on record after record", scenario)

    def _report(self, batch: Batch, parts: Sequence[_Part], built: Built) -> None:
        rejected = [one for part in parts for one in part.decoded.rejected]
        self._poison.forget(rejected)
        for (topic, fallback), count in Counter((one.topic, one.fallback) for one in built.answered).items():
            metrics.OUTPUTS.labels(topic, fallback or "none").inc(count)
        metrics.BATCH_RECORDS.labels(_PIPELINE).observe(batch.size)
        for part, decoded, folded in parts:
            metrics.RECORDS.labels(part.topic, "taken").inc(len(decoded.accepted))
            metrics.RECORDS.labels(part.topic, "forwarded").inc(len(decoded.misrouted))
            metrics.SKIPPED_CONTEXT.labels(part.topic).inc(len(decoded.skipped_context))
            for failure in folded.failures:
                batch_log.timer_failed(failure)
        for one in rejected:
            metrics.DEAD_LETTERS.labels(one.error.reason).inc()
        batch_log.answered(batch, built.answered)
        batch_log.dead_letters(rejected)


def _observe(delay: Histogram, batch: Batch) -> None:
    """Note how long ago the oldest record of each partition batch was appended."""
    now = time.time()
    for part in batch.parts:
        delay.observe(max(now - part.records[0].timestamp / 1000, 0))
