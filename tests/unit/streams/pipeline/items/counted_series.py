"""A series of reviews that tests count, servers in memory, and what goes out and is stored."""

import random

import msgspec
import numpy as np
from msgspec import Struct

from feature_repo.items.scopes import series_key
from feature_repo.items.series_counts import as_features, unpack
from feature_repo.shoppers.item_updates import derive_updates
from feature_repo.shoppers.watermark import SourceWatermark
from feature_repo.store.row_store import VIEWS, Kind, StoredRow
from headrace.arrays import DemandAnswer
from headrace.messages.events import Event, EventType
from headrace.messages.internal import ItemUpdateBatch, Watermark
from headrace.messages.outputs import ModelRef, OutputBase
from headrace.scenarios import OutputTopic, Scenario, Series
from headrace.settings import Settings
from streams.kafka.transport import PartitionBatch, RawRecord
from streams.pipeline.emitted import EmittedOutputs
from streams.pipeline.items.cooperative_yield import CooperativeYield
from streams.pipeline.items.delisted import DelistedRows
from streams.pipeline.items.evaluate import open_series
from streams.pipeline.items.row_access import SeriesRows
from streams.pipeline.items.series import SeriesPipeline, UpdateInputs
from streams.pipeline.rows.cache import RowCache
from streams.pipeline.rows.continuity import Continuity
from streams.pipeline.shoppers.item_updates import item_update_batches
from streams.serving.catalogue.trending import Trending

HOUR = 3_600_000
START = 480_000 * HOUR
NOW = START + 100 * HOUR
PARTITIONS = 2
SETTINGS = Settings(partitions=PARTITIONS)
UPDATES = "headrace.headrace.item-deltas"


class ReviewWindow(OutputBase, frozen=True, kw_only=True):
    """What a window of reviews came to."""

    about: str
    texts: int
    negative: int
    before: list[tuple[int, ...]]
    shards: int
    seen: int
    rating: float | None = None


class Remembered(Struct):
    windows: int = 0


def reviews(event):
    return (1, int((event.rating or 5) < 3)) if event.type is EventType.REVIEW else None


def closed_reviews(closing, _):
    closing.notes.append(len(closing.keys))
    for window, state, result in closing.keys:
        state.windows += 1
        yield ReviewWindow(
            id=window.output_id,
            timestamp=closing.end,
            model=result.model if result else ModelRef("reviews", ""),
            fallback=result.fallback if result else None,
            about=f"{window.kind}/{window.name}",
            texts=window.counts[0],
            negative=window.counts[1],
            before=window.history(3),
            shards=sum(texts for texts, _ in window.shards),
            seen=state.windows * 1_000 + sum(closing.notes) % 1_000,
            rating=result.value if result else None,
        )


def scenario(name="reviews", on_closed=closed_reviews, **more):
    series = Series(
        name=name,
        columns=("texts", "negative"),
        counts=more.pop("counts", reviews),
        on_closed=on_closed,
        scopes=frozenset({"item", "shop"}),
        state=Remembered,
        history=4,
        **more,
    )
    return Scenario(
        name=name, series=series, outputs=[OutputTopic(name=f"{name}.windows", message=ReviewWindow, key="about")]
    )


REVIEWS = scenario()
VIEWS_TOO = scenario("views_too", counts=lambda e: (2, 1) if e.type is EventType.VIEW else None)


class Servers:
    """A store that keeps bytes, a model and a producer, as little as the pipeline needs of them."""

    def __init__(self):
        self.rows = {}
        self.emitted = []
        self.requests = 0
        self.triton = self

    async def read(self, kind, keys):
        return [self.rows.get((kind, key), StoredRow(b"", b"", (b"",) * len(VIEWS[kind]))) for key in keys]

    def serialise(self, writes):
        return list(writes)

    async def write_serialised(self, parts):
        writes = [write for part in parts for write in part]
        keys = [(write.kind, write.key) for write in writes]
        assert len(keys) == len(set(keys))
        for write in writes:
            [before] = await self.read(write.kind, [write.key])
            assert before.fence == write.expected
            states = [old if new is None else new for old, new in zip(before.states, write.states, strict=True)]
            self.rows[write.kind, write.key] = StoredRow(write.fence, write.seen, tuple(states))

    async def infer(self, model, tensors, _rows, _kind=None):
        self.requests += 1
        if model == "rater":
            return {"rating": np.asarray(tensors["texts"], np.float32) / 2}, "7"
        return DemandAnswer(np.ones((len(tensors.window_start), SETTINGS.horizon, 9), np.float32)), "1"

    async def ends_for(self, claims):
        return dict.fromkeys(claims, 10**6)

    async def send(self, outbox):
        self.emitted += [(topic, m.value) for (topic, _), sent in outbox.messages.items() for m in sent]

    def counts(self, key, series="reviews"):
        """What is stored of a key, by name."""
        declared = {"reviews": REVIEWS, "views_too": VIEWS_TOO}[series].series
        return as_features(unpack(self.rows[Kind.SHARD, series_key(series, key)].states[0], declared), declared)


def pipeline(servers, scenarios):
    opened = open_series(scenarios, servers, SETTINGS, lambda _: ())
    rows = SeriesRows(
        servers,
        RowCache(50),
        Continuity(SETTINGS.group),
        DelistedRows(lambda: 0.0, lambda _: True),
        CooperativeYield(lambda: False, lambda: 0.0),
        [one.counted for one in opened if one.counted is not None],
    )
    inputs = UpdateInputs(PARTITIONS, servers, EmittedOutputs(None))
    return SeriesPipeline(opened, SETTINGS, inputs, rows, servers, Trending(servers, on=False))


def review(event_id, kind, at, order):
    user_id, item_id = f"u{order.randrange(9)}", f"item-{order.randrange(5)}"
    rating = order.randint(1, 5)
    return Event(
        event_id=event_id, type=kind, user_id=user_id, timestamp=at, item_id=item_id, text="so so", rating=rating
    )


def stream(seed, hours=40):
    """Events of two sources, mostly in order, some of them hours late."""
    order = random.Random(seed)
    sources = []
    for source in range(PARTITIONS):
        events = []
        for n in range(hours * 6):
            late = order.randrange(6 * HOUR) if order.random() < 0.1 else 0
            at = START + n * HOUR // 6 + order.randrange(HOUR // 6) - late
            kind = order.choice([EventType.REVIEW, EventType.REVIEW, EventType.VIEW, EventType.PURCHASE])
            events.append(review(f"{source}-{n}", kind, at, order))
        sources.append(events)
    return sources


def messages(sources, scenarios, cut):
    """What each source's worker sends to each partition of the item pipeline, its events cut into batches at random.

    The last of each source lets all windows close.
    """
    sent = []
    counting = [one for one in scenarios if isinstance(one.series, Series)]
    for source, events in enumerate(sources):
        mark, of_source, at = SourceWatermark(), [], 0
        while at < len(events):
            some = events[at : at + cut.randint(1, 40)]
            entries = [
                entry
                for offset, event in enumerate(some, at)
                for entry in derive_updates(
                    mark, event, offset, event.timestamp, HOUR, SETTINGS.lateness, lambda _: (), counting
                )
            ]
            at += len(some)
            batch = PartitionBatch("events", source, [RawRecord("events", source, at, 0, None, b"", ())])
            of_source += list(item_update_batches(batch, entries, PARTITIONS))
        end = Watermark(-1, START + 80 * HOUR, False)
        of_source += [
            (partition, ItemUpdateBatch(f"replay/{source}", source, [end])) for partition in range(PARTITIONS)
        ]
        sent.append(of_source)
    return sent


def interleaved(sent, order):
    """One order in which the topic may hold them: each source's messages in theirs."""
    left = [list(of_source) for of_source in sent]
    while any(left):
        yield order.choice([of_source for of_source in left if of_source]).pop(0)


async def run(scenarios, seed, *, size=1_000, restarts=0.0, twice=0.0, events=None):
    """All that is stored and emitted of a stream, cut, interleaved and interrupted by chance."""
    servers, order = Servers(), random.Random(seed)
    sent = messages(events or stream(7), scenarios, order)
    topic = list(interleaved(sent, order))
    logs = [[] for _ in range(PARTITIONS)]
    for partition, batch in topic:
        for _ in range(1 + (order.random() < twice)):  # a shopper pipeline that was killed sends it again
            log = logs[partition]
            log.append(RawRecord(UPDATES, partition, len(log), NOW, None, msgspec.msgpack.encode(batch), ()))
    worker, done = pipeline(servers, scenarios), [0] * PARTITIONS
    while any(at < len(log) for at, log in zip(done, logs, strict=True)):
        parts = []
        for partition, log in enumerate(logs):
            if some := log[done[partition] : done[partition] + order.randint(1, size)]:
                parts.append(PartitionBatch(UPDATES, partition, some))
        await worker.process(parts)
        if order.random() < restarts:  # killed before its offsets were committed: all of it comes again
            worker = pipeline(servers, scenarios)
            continue
        for part in parts:
            done[part.partition] += len(part.records)
    return servers


def emitted(servers, topics):
    """What went out, by id; what went out twice was the same."""
    found = {}
    for topic, value in servers.emitted:
        if topic in topics:
            assert found.setdefault(msgspec.json.decode(value)["id"], value) == value
    return found


def stored(servers, series="reviews"):
    """The rows of a series; of its indexes what is not bookkeeping."""
    return {
        key: row.states[0]
        for (kind, key), row in servers.rows.items()
        if kind is Kind.SHARD and key.startswith(series_key(series, ""))
    }
