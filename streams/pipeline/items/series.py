"""The pipeline of item updates: counters and windows of items and series, and what closed windows say (rules 6, 9)."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from feature_repo.basics.windows import windows_of
from headrace.errors import HeadraceError, ScenarioFailed
from headrace.messages.outputs import OutputBase
from headrace.settings.model import Settings
from streams.kafka.transport import PartitionBatch
from streams.operations import metrics
from streams.operations.metrics import timed
from streams.pipeline import batch_log
from streams.pipeline.emit import Outbox, Producer
from streams.pipeline.emitted import EmittedOutputs
from streams.pipeline.items.decode import UpdateDecoder
from streams.pipeline.items.evaluate import OpenSeries, drop
from streams.pipeline.items.part import Part, WindowRules, row_key
from streams.pipeline.items.row_access import Row, SeriesRows
from streams.pipeline.log_ends import LogEnds, highest
from streams.serving.catalogue.trending import Trending

_PIPELINE = "demand"
_BATCHES: Final = 16
"""Messages folded in one go, a millisecond or two."""


class UpdateInputs(NamedTuple):
    """What the pipeline's records are judged by.

    Attributes:
        partitions: of each input topic.
        ends: ends of the logs that item updates say they come from.
        emitted: what the group that this one rebuilds has emitted.
    """

    partitions: int
    ends: LogEnds
    emitted: EmittedOutputs


class _ClosedSeries(NamedTuple):
    """The windows of one series that a part closes, and their rows by key."""

    part: Part
    series: OpenSeries
    rows: Mapping[str, Row]


class SeriesPipeline:
    """Takes batches of the item-deltas topic through the pipeline, those of all partitions together.

    Args:
        series: of all scenarios that run; the rows count each of them.
    """

    def __init__(
        self,
        series: Iterable[OpenSeries],
        settings: Settings,
        inputs: UpdateInputs,
        rows: SeriesRows,
        producer: Producer,
        trending: Trending,
    ) -> None:
        self._series = list(series)
        self._settings = settings
        self._inputs = inputs
        self._rows = rows
        self._producer = producer
        self._trending = trending
        windows = windows_of(settings.window, settings.timezone)
        self._rules = WindowRules(windows, settings.lateness, inputs.partitions)

    async def process(self, batches: Sequence[PartitionBatch]) -> None:
        """Take batches of different partitions through the pipeline.

        Raises:
            FencedOut, StoreError, RowsLost: as the shopper pipeline.
        """
        with timed(_PIPELINE, "read"):
            await self._rows.read_indexes(batches)
            parts = await self._decode(batches)
            rows = await self._rows.read({key for part in parts for key in part.keys})
        with timed(_PIPELINE, "fold"):
            for part in parts:
                await self._fold(part, rows)
        with timed(_PIPELINE, "read"):
            rows |= await self._rows.read({key for part in parts for key in part.keys} - rows.keys())
        outbox = Outbox(self._settings, self._inputs.partitions)
        await self._evaluate_windows(parts, rows, outbox)
        rejected = [one for part in parts for one in part.rejected]
        for one in rejected:
            outbox.dead_letter(*one)
        with timed(_PIPELINE, "emit"):
            await self._producer.send(outbox)
        with timed(_PIPELINE, "write"):
            await self._rows.write(parts, rows, lambda part: self._trending.add(part.folded))
        metrics.BATCH_RECORDS.labels(_PIPELINE).observe(sum(len(batch.records) for batch in batches))
        batch_log.dead_letters(rejected)
        for one in rejected:
            metrics.DEAD_LETTERS.labels(one.error.reason).inc()

    def invalidate(self) -> None:
        """Drop what is kept of rows."""
        self._rows.invalidate()

    async def _decode(self, batches: Sequence[PartitionBatch]) -> list[Part]:
        """Decode what is not done yet. What no worker can have sent is refused: only a crash would come of it, or
        fences that pass over all there is to come."""
        decoder = UpdateDecoder(self._settings, self._inputs.partitions)
        indexes = [self._rows.indexes[batch.partition] for batch in batches]
        decoded = [decoder.decode(batch, of.items.fence) for batch, of in zip(batches, indexes, strict=True)]
        ends = await self._inputs.ends.ends_for(highest(claim for messages in decoded for claim in messages.claims))
        return [
            Part(batch, of, *messages.verify(ends))
            for batch, of, messages in zip(batches, indexes, decoded, strict=True)
        ]

    async def _fold(self, part: Part, rows: Mapping[str, Row]) -> None:
        for number, batch in enumerate(part.batches):
            part.fold(batch, rows, self._rules)
            if number % _BATCHES == 0:
                await self._rows.yield_if_due()
        part.finish()

    async def _evaluate_windows(self, parts: Sequence[Part], rows: Mapping[str, Row], outbox: Outbox) -> None:
        closed = [
            _ClosedSeries(part, series, {one.item_id: rows[row_key(series.name, one.item_id)] for one in windows})
            for part in parts
            for series in self._series
            if (windows := part.closed_windows[series.name])
        ]
        with timed(_PIPELINE, "read"):
            for one in closed:
                await self._rows.merge_cold_windows(one.rows.values())
        with timed(_PIPELINE, "score"):  # of one partition while the queries of the next are made
            scored = await asyncio.gather(*map(_score, closed))
        for one, of_one in zip(closed, scored, strict=True):
            with timed(_PIPELINE, "evaluate"):
                outputs = self._evaluate(one, of_one)
            until = await self._inputs.emitted.already_evaluated(one.part.partition, one.series.name)
            _add_outputs(one.series, outputs, until, outbox)

    def _evaluate(self, closed: _ClosedSeries, scored: Any) -> Sequence[OutputBase]:
        part, series, rows = closed
        closed_windows = part.closed_windows[series.name]
        try:
            if isinstance(scored, ScenarioFailed):
                raise scored
            notes = part.index_of(series.name).index.score_counts
            return series.evaluator.evaluate(closed_windows, rows, scored, notes)
        except ScenarioFailed as failure:
            drop(failure, closed_windows[-1].window_start + self._settings.window)
        except HeadraceError:
            raise
        except Exception as error:
            failure = ScenarioFailed(series.scenario, "on_closed", error)
            drop(failure, closed_windows[-1].window_start + self._settings.window)
        return []


async def _score(closed: _ClosedSeries) -> Any:
    """What the scorer makes of it; what a scenario's own function raised in its place."""
    part, series, rows = closed
    try:
        return await series.evaluator.score(part.closed_windows[series.name], rows)
    except HeadraceError:
        raise
    except Exception as error:
        return ScenarioFailed(series.scenario, "query", error)


def _add_outputs(series: OpenSeries, outputs: Sequence[OutputBase], evaluated_until: int, outbox: Outbox) -> None:
    for output in outputs:
        if output.timestamp <= evaluated_until:  # each bears the end of the window that closed
            continue
        topic = series.topics[type(output)]
        outbox.add(topic.name, topic.record_key(output), output)
        metrics.OUTPUTS.labels(topic.name, output.fallback or "none").inc()
