"""The shoppers' road: `events`, the rekeyed topic and `score.requests`, one load at a time through all steps."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from prometheus_client import Histogram

from feature_repo.row_store import Kind, PackedRows, RowStore
from streams.engine import logbook, metrics
from streams.engine.catalogue_follower import CatalogueFollower
from streams.engine.continuity import Continuity
from streams.engine.feature_log import feature_log, is_logged
from streams.engine.folding import Asked, ChunkFold, Folded
from streams.engine.idleness import Idleness
from streams.engine.intake import Intake, Place, Refused, claims, found_at, take_in, without_forged
from streams.engine.item_batches import item_batches
from streams.engine.metrics import Steps
from streams.engine.origins import Claims, LogEnds, highest
from streams.engine.outbox import Outbox, Producer
from streams.engine.poison import Poisoned
from streams.engine.predecessor import Predecessor
from streams.engine.questions import Answer, Scenario
from streams.engine.row_cache import RowCache
from streams.engine.rows import ShopperRow, SourceRow, source_key, touched
from streams.engine.scoring import Scorer
from streams.engine.tracing import Headers, Traced, Tracer
from streams.line import UNDER_WAY, Way
from streams.settings import Settings
from streams.topics import Topic
from streams.transport import Load, RecordChunk

_ROAD = "shoppers"
_ROWS_KEPT = 8_192
"""Shoppers whose rows stay in memory, some ten kilobytes each: those who are in the shop now."""


class Collaborators(NamedTuple):
    """Who a road works with."""

    settings: Settings
    partitions: int
    store: RowStore
    scorer: Scorer
    follower: CatalogueFollower
    producer: Producer
    predecessor: Predecessor
    idleness: Idleness
    tracer: Tracer
    ends: LogEnds
    continuity: Continuity


class _Part(NamedTuple):
    """One chunk of a load, decoded, then folded."""

    chunk: RecordChunk
    intake: Intake
    folded: Folded


class _Said(NamedTuple):
    """What a load has to say, and how each of its questions is answered."""

    outbox: Outbox
    traced: list[Traced]
    fallbacks: list[str | None]


class ShoppersRoad:
    """Takes loads of shoppers' records down the road, straight through."""

    def __init__(self, scenarios: Sequence[Scenario], with_: Collaborators) -> None:
        self._scenarios = scenarios
        self._with = with_
        # Rows of loads under way must stay, for they are not written yet.
        self._cache: RowCache[ShopperRow] = RowCache(max(_ROWS_KEPT, UNDER_WAY * with_.settings.chunk))
        self._sources: dict[int, SourceRow] = {}
        self._poisoned: dict[Place, Refused] = {}
        self._under_way = 0

    async def travel(self, load: Load, way: Way) -> None:
        """Take one load down the road; when this returns its offsets may be committed.

        Raises:
            FencedOut: another worker wrote one of the rows; the load may be travelled again.
            StoreError: the store is out of reach; likewise.
            RowsLost: the store no longer holds what was folded.
            Poisoned: a record broke a pure step; travelled again, the load leaves it out.
        """
        self._under_way += 1
        try:
            await self._travel(load, way)
        except Poisoned as poison:
            refused = poison.refused()
            self._poisoned[found_at(refused.record)] = refused
            raise
        finally:
            self._under_way -= 1

    def is_waited_for(self) -> bool:
        """Whether loads of shoppers are under way here, with somebody who waits for them."""
        return self._under_way > 0 and not self._with.settings.catching_up

    def forget(self) -> None:
        """Drop what is kept of rows."""
        self._cache.clear()
        self._sources.clear()

    async def _travel(self, load: Load, way: Way) -> None:
        steps = Steps(_ROAD)
        with steps.timed("decode"):
            intakes = [self._take_in(chunk) for chunk in load.chunks]
        # All wait for a server, each for another.
        rows, said, ends, _ = await asyncio.gather(
            self._read(load, intakes, steps),
            self._with.predecessor.said(intakes),
            self._ends(load, intakes),
            self._catch_up(steps),
        )
        intakes = [
            without_forged(chunk, intake, ends, self._with.settings)
            for chunk, intake in zip(load.chunks, intakes, strict=True)
        ]
        with steps.timed("fold"):
            parts = [self._fold(chunk, intake, rows) for chunk, intake in zip(load.chunks, intakes, strict=True)]
            self._with.idleness.heard({p: self._sources[p].mark.second for p in _sources_of(load)})
        with steps.timed("pack"):
            packed = self._pack(parts, rows)
        way.open()
        with steps.timed("score"):
            asked = [asked for part in parts for asked in part.folded.asked if not said(asked.taken)]
            answers = await self._with.scorer.answer([one.question for one in asked])
        with steps.timed("say"):
            outbox, traced, fallbacks = self._outbox(parts, asked, answers)
        with steps.timed("queue"):
            await way.turn()
        with steps.timed("emit"):
            await self._with.producer.send(outbox, way.spoken)
        _observe(metrics.ANSWERED, load)
        for one in traced:
            one.end(steps.taken)
        with steps.timed("queue"):
            await way.clear()
        with steps.timed("write"):
            await self._with.store.write_packed([packed])
        for chunk in load.chunks:
            self._with.continuity.written(chunk.topic, chunk.partition, chunk.last_offset)
        _observe(metrics.FRESHNESS, load)
        for part in parts:
            for refused in part.intake.refused:
                self._poisoned.pop(found_at(refused.record), None)
        _count(load, parts, asked, fallbacks)
        logbook.answered(load, asked, fallbacks)
        logbook.dead_letters([refused for part in parts for refused in part.intake.refused])

    def _take_in(self, chunk: RecordChunk) -> Intake:
        intake = take_in(chunk, self._with.settings, self._with.partitions)
        poisoned = [self._poisoned.get(found_at(r)) for r in chunk.records] if self._poisoned else []
        return _without(intake, [refused for refused in poisoned if refused])

    async def _ends(self, load: Load, intakes: Sequence[Intake]) -> Claims:
        pairs = zip(load.chunks, intakes, strict=True)
        claimed = (claim for chunk, intake in pairs for claim in claims(chunk, intake, self._with.settings))
        return await self._with.ends.reaching(highest(claimed))

    async def _catch_up(self, steps: Steps) -> None:
        with steps.timed("catalogue"):
            await self._with.follower.catch_up()

    async def _read(self, load: Load, intakes: Sequence[Intake], steps: Steps) -> dict[str, ShopperRow]:
        users = dict.fromkeys(taken.cause.user_id for intake in intakes for taken in intake.taken)
        sources = [p for p in _sources_of(load) if p not in self._sources]
        with steps.timed("read"):
            rows = self._cache.take(users)
            self._cache.put(rows)  # whoever only asks leaves them there: they may not be written yet
            missing = [user for user in users if user not in rows]
            stored, bookkeeping = await asyncio.gather(
                self._with.store.read(Kind.USER, missing),
                self._with.store.read(Kind.SHARD, [source_key(partition) for partition in sources]),
            )
        for partition, row in zip(sources, bookkeeping, strict=True):
            self._sources[partition] = source = SourceRow(partition, row)
            self._with.continuity.verify(source.key, source.fence)
        return rows | {user: ShopperRow(user, row) for user, row in zip(missing, stored, strict=True)}

    def _fold(self, chunk: RecordChunk, intake: Intake, rows: dict[str, ShopperRow]) -> _Part:
        source = self._sources[chunk.partition] if _is_folded(chunk) else None
        intake = _not_yet(chunk, intake, source)
        fold = ChunkFold(self._scenarios, self._with.settings, rows, source, self._with.follower.catalogue.categories)
        for taken in intake.taken:
            fold.take(taken)
        return _Part(chunk, intake, fold.folded)

    def _pack(self, parts: Sequence[_Part], rows: dict[str, ShopperRow]) -> PackedRows:
        """What is to be written; from here on the rows in memory are what the next load folds into."""
        folded = [part for part in parts if _is_folded(part.chunk)]
        owned = {taken.cause.user_id for part in folded for taken in part.intake.taken}
        # Rows of score requests are another worker's where a producer has partitioned them by its own rule.
        self._cache.put({user: rows[user] for user in owned})
        sources = sorted({part.chunk.partition for part in folded})
        return self._with.store.pack(chain(touched(rows.values()), (self._sources[p].write() for p in sources)))

    def _outbox(self, parts: Sequence[_Part], asked: Sequence[Asked], answers: Iterable[Answer]) -> _Said:
        outbox = Outbox(self._with.settings, self._with.partitions)
        traced: list[Traced] = []
        fallbacks: list[str | None] = []
        for one, answer in zip(asked, answers, strict=True):
            try:
                trace = self._with.tracer.answer(one.taken, one.question.output_id)
                self._say(outbox, one, answer, trace.headers if trace else ())
            except Exception as error:
                raise Poisoned(one.taken, error) from error
            if trace:
                traced.append(trace)
            fallbacks.append(answer.fallback)
        for part in parts:
            self._pass_on(outbox, part)
        return _Said(outbox, traced, fallbacks)

    def _pass_on(self, outbox: Outbox, part: _Part) -> None:
        chunk, intake, folded = part
        for refused in intake.refused:
            outbox.dead_letter(*refused)
        for misplaced in intake.misplaced:
            outbox.forward(misplaced)
        for partition, batch in item_batches(chunk, folded.told, self._with.partitions):
            outbox.tell_items(partition, batch)

    def _say(self, outbox: Outbox, asked: Asked, answer: Answer, headers: Headers) -> None:
        question = asked.question
        user_id = question.cause.user_id
        output = question.scenario.answer(question, answer, self._with.follower.catalogue, self._with.settings)
        outbox.say(question.scenario.topic, user_id, output, headers)
        if is_logged(question.output_id, self._with.settings.feature_log):
            outbox.say(Topic.FEATURE_LOG, user_id, feature_log(question, answer.model))


def _without(intake: Intake, poisoned: Sequence[Refused]) -> Intake:
    """An intake in which the poisoned records are refused."""
    if not poisoned:
        return intake
    records = [refused.record for refused in poisoned]
    taken = [t for t in intake.taken if t.record not in records]
    return intake._replace(taken=taken, refused=[*intake.refused, *poisoned])


def _not_yet(chunk: RecordChunk, intake: Intake, source: SourceRow | None) -> Intake:
    """What of an intake is not done already: all rows of a load are written at once, and the sources' with them."""
    if source is None:
        return intake
    origin = f"{chunk.topic}/{chunk.partition}"
    done = set[int]()
    if source.fence.passed(origin, chunk.first_offset):
        done = {r.offset for r in chunk.records if source.fence.passed(origin, r.offset)}
    source.fence.advance(origin, chunk.last_offset)
    if not done:
        return intake
    return Intake(
        [t for t in intake.taken if t.record.offset not in done],
        [r for r in intake.refused if r.record.offset not in done],
        [m for m in intake.misplaced if m.record.offset not in done],
        intake.left_out,
    )


def _is_folded(chunk: RecordChunk) -> bool:
    """Score requests are answered, and leave nothing behind."""
    return chunk.topic != Topic.SCORE_REQUESTS


def _sources_of(load: Load) -> set[int]:
    return {chunk.partition for chunk in load.chunks if _is_folded(chunk)}


def _observe(delay: Histogram, load: Load) -> None:
    """Note how long ago the oldest record of each chunk was appended."""
    now = time.time()
    for chunk in load.chunks:
        delay.observe(max(now - chunk.records[0].timestamp / 1000, 0))


def _count(load: Load, parts: Sequence[_Part], asked: Sequence[Asked], fallbacks: Sequence[str | None]) -> None:
    said = Counter(
        (one.question.scenario.topic, fallback or "none") for one, fallback in zip(asked, fallbacks, strict=True)
    )
    for labels, count in said.items():
        metrics.OUTPUTS.labels(*labels).inc(count)
    metrics.CHUNK.labels(_ROAD).observe(load.size)
    for chunk, intake, _ in parts:
        metrics.EVENTS.labels(chunk.topic, "taken").inc(len(intake.taken))
        metrics.EVENTS.labels(chunk.topic, "forwarded").inc(len(intake.misplaced))
        metrics.LEFT_OUT.labels(chunk.topic).inc(len(intake.left_out))
        for refused in intake.refused:
            metrics.DEAD_LETTERS.labels(refused.why.reason).inc()
