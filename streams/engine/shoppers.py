"""The shoppers' road: `events`, the rekeyed topic and `score.requests`, one chunk at a time through all steps."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from feature_repo.row_store import Kind, RowStore
from streams.engine import metrics
from streams.engine.catalogue_follower import CatalogueFollower
from streams.engine.feature_log import feature_log, is_logged
from streams.engine.folding import Asked, ChunkFold, Folded
from streams.engine.intake import Intake, Refused, take_in
from streams.engine.item_batches import item_batches
from streams.engine.metrics import timed
from streams.engine.outbox import Outbox, Producer
from streams.engine.poison import Poisoned, blame
from streams.engine.questions import Answer, Scenario
from streams.engine.row_cache import RowCache
from streams.engine.rows import ShopperRow, SourceRow, source_key, touched
from streams.engine.scoring import Scorer
from streams.settings import Settings
from streams.topics import Topic
from streams.transport import RecordChunk

logger = logging.getLogger(__name__)

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


class ShoppersRoad:
    """Takes chunks of shoppers' records down the road, straight through."""

    def __init__(self, scenarios: Sequence[Scenario], with_: Collaborators) -> None:
        self._scenarios = scenarios
        self._with = with_
        self._cache: RowCache[ShopperRow] = RowCache(_ROWS_KEPT)

    async def travel(self, chunk: RecordChunk) -> None:
        """Take one chunk down the road; when this returns its offsets may be committed.

        Raises:
            FencedOut: another worker wrote one of the rows; the chunk may be travelled again.
            StoreError: the store is out of reach; likewise.
        """
        poisoned: list[Refused] = []
        while True:
            try:
                return await self._travel(chunk, poisoned)
            except Poisoned as poison:
                logger.exception("%s is left out", poison)
                poisoned.append(poison.refused(chunk))

    async def _travel(self, chunk: RecordChunk, poisoned: list[Refused]) -> None:
        with timed(_ROAD, "decode"):
            intake = _without(take_in(chunk, self._with.settings, self._with.partitions), poisoned)
        # Both wait for a server, each for another.
        (source, rows), _ = await asyncio.gather(self._read(chunk, intake), self._catch_up())
        with timed(_ROAD, "fold"):
            intake = _not_yet(chunk, intake, source)
            folded = self._fold(intake, rows, source)
        with timed(_ROAD, "score"):
            answers = await self._with.scorer.answer([asked.question for asked in folded.asked])
        with timed(_ROAD, "emit"):
            await self._with.producer.send(self._outbox(chunk, intake, folded, answers))
        with timed(_ROAD, "write"):
            await self._write(rows, source)
        _count(chunk, intake, folded, answers)

    async def _catch_up(self) -> None:
        with timed(_ROAD, "catalogue"):
            await self._with.follower.catch_up()

    async def _read(self, chunk: RecordChunk, intake: Intake) -> tuple[SourceRow | None, dict[str, ShopperRow]]:
        users = list(dict.fromkeys(taken.cause.user_id for taken in intake.taken))
        with timed(_ROAD, "read"):
            if (
                chunk.topic == Topic.SCORE_REQUESTS
            ):  # written by nobody, kept by nobody: misplaced ones are answered too
                return None, await self._stored(users)
            stored = await self._with.store.read(Kind.SHARD, [source_key(chunk.partition)])
            source = SourceRow(chunk.partition, stored[0])
            rows = self._cache.take(chunk.partition, source.stored.fence, users)
            return source, rows | await self._stored([user for user in users if user not in rows])

    async def _stored(self, users: Sequence[str]) -> dict[str, ShopperRow]:
        stored = await self._with.store.read(Kind.USER, users)
        return {user: ShopperRow(user, row) for user, row in zip(users, stored, strict=True)}

    async def _write(self, rows: dict[str, ShopperRow], source: SourceRow | None) -> None:
        if source is None:
            return
        bookkeeping = source.write()
        await self._with.store.write([*touched(rows.values()), bookkeeping])
        self._cache.put(source.partition, bookkeeping.fence, rows)

    def _fold(self, intake: Intake, rows: dict[str, ShopperRow], source: SourceRow | None) -> Folded:
        fold = ChunkFold(self._scenarios, self._with.settings, rows, source, self._with.follower.catalogue.categories)
        for taken in intake.taken:
            fold.take(taken)
        return fold.folded

    def _outbox(self, chunk: RecordChunk, intake: Intake, folded: Folded, answers: Sequence[Answer]) -> Outbox:
        outbox = Outbox(self._with.settings, self._with.partitions)
        for refused in intake.refused:
            outbox.dead_letter(*refused)
        for misplaced in intake.misplaced:
            outbox.forward(misplaced)
        for asked, answer in zip(folded.asked, answers, strict=True):
            with blame(asked.taken):
                self._say(outbox, asked, answer)
        for partition, batch in item_batches(chunk, folded.told, self._with.partitions):
            outbox.tell_items(partition, batch, chunk.records[-1].timestamp)
        return outbox

    def _say(self, outbox: Outbox, asked: Asked, answer: Answer) -> None:
        question = asked.question
        user_id, timestamp = question.cause.user_id, question.cause.timestamp
        output = question.scenario.answer(question, answer, self._with.follower.catalogue)
        outbox.say(question.scenario.topic, user_id, output, timestamp)
        if is_logged(question.output_id, self._with.settings.feature_log):
            outbox.say(Topic.FEATURE_LOG, user_id, feature_log(question, answer.model), timestamp)


def _without(intake: Intake, poisoned: Sequence[Refused]) -> Intake:
    """An intake in which the poisoned records are refused."""
    offsets = {refused.record.offset for refused in poisoned}
    taken = [t for t in intake.taken if t.offset not in offsets]
    return intake._replace(taken=taken, refused=[*intake.refused, *poisoned])


def _not_yet(chunk: RecordChunk, intake: Intake, source: SourceRow | None) -> Intake:
    """What of an intake is not done already: all rows of a chunk are written at once, and the source's with them."""
    if source is None:
        return intake
    origin = f"{chunk.topic}/{chunk.partition}"
    done = {r.offset for r in chunk.records if source.fence.passed(origin, r.offset)}
    source.fence.advance(origin, chunk.last_offset)
    return Intake(
        [t for t in intake.taken if t.offset not in done],
        [r for r in intake.refused if r.record.offset not in done],
        [m for m in intake.misplaced if m.offset not in done],
    )


def _count(chunk: RecordChunk, intake: Intake, folded: Folded, answers: Sequence[Answer]) -> None:
    said = Counter(
        (asked.question.scenario.topic, answer.fallback or "none")
        for asked, answer in zip(folded.asked, answers, strict=True)
    )
    for labels, count in said.items():
        metrics.OUTPUTS.labels(*labels).inc(count)
    metrics.CHUNK.labels(_ROAD).observe(len(chunk.records))
    metrics.EVENTS.labels(chunk.topic, "taken").inc(len(intake.taken))
    metrics.EVENTS.labels(chunk.topic, "forwarded").inc(len(intake.misplaced))
    for refused in intake.refused:
        metrics.DEAD_LETTERS.labels(refused.why.reason).inc()
