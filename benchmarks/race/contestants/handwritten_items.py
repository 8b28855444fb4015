"""The hand-written loop's items: counters and windows in Redis, forecasts and alerts when a window closes."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

import msgspec
from aiokafka import TopicPartition

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.basics.windows import number_at
from feature_repo.items import cold_windows, item, window_index
from feature_repo.items.item import ItemActivity
from feature_repo.items.scopes import is_scope
from feature_repo.items.window_index import ClosedWindow, WindowIndex
from headrace.arrays import DEMAND_MODEL, DemandAnswer
from headrace.messages.internal import Entry, ItemImpression, ItemUpdate, Watermark
from headrace.messages.outputs import DemandForecast, ModelRef
from headrace.partitioning import partition_of
from headrace.topics import Topic
from streams.pipeline.rows.cache import RowCache
from streams.scenarios.demand import DemandRules, evaluate_windows
from streams.scenarios.demand.forecasting.fallback import fallback_quantiles
from streams.scenarios.demand.forecasting.queries import queries
from streams.serving.shopper_scorer.fallback import MODEL_UNAVAILABLE

if TYPE_CHECKING:
    from benchmarks.race.contestants.handwritten import Loop, Messages

_WEIGHT: Final = {ACTION_CODE["view"]: 1, ACTION_CODE["add_to_cart"]: 3, ACTION_CODE["purchase"]: 5}
_ROWS_KEPT: Final = 32_768
_GATHERED_S: Final = 2.0
"""With 1.5 s and with 5 s, as Headrace has it, it answered about as many events a second."""
_MOST: Final = 50_000
"""Entries that may wait: one or two an event, so some seconds of shoppers."""
_SLICE: Final = 256
"""Entries folded, and rows packed, in one go: longer ones let the model wait."""
_encode = msgspec.json.Encoder().encode


class Items:
    """One task folds what all lanes tell of items: what came in some seconds, or until they rest, at a time."""

    def __init__(self, loop: "Loop") -> None:
        self._loop = loop
        self._index = WindowIndex()
        self._rules = DemandRules.of(loop.settings)
        self.windows = self._rules.windows
        self._updates: list[tuple[int, Entry]] = []
        self._offsets: dict[TopicPartition, int] = {}
        self._kept: RowCache[_Row] = RowCache(_ROWS_KEPT)
        self._forecasts: dict[str, bytes] = {}
        self._news = asyncio.Event()
        self._taken = asyncio.Condition()

    def add(self, source: TopicPartition, updates: Sequence[Entry], offset: int) -> None:
        """Hand in what a batch did to items; when it is stored, the offset behind the batch is committed."""
        self._updates += [(source.partition, entry) for entry in updates]
        self._offsets[source] = offset
        self._news.set()

    async def wait_for_capacity(self) -> None:
        """Wait while more is told than may wait to be folded."""
        async with self._taken:
            await self._taken.wait_for(lambda: len(self._updates) < _MOST)

    async def run(self) -> None:
        """Fold for ever."""
        while True:
            await self._news.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(_GATHERED_S):
                    await self._loop.idle.wait()
            self._news.clear()
            updates, self._updates = self._updates, []
            offsets, self._offsets = self._offsets, {}
            async with self._taken:
                self._taken.notify_all()
            await self._fold(updates)
            await self._loop.commit(offsets)

    async def _fold(self, updates: Sequence[tuple[int, Entry]]) -> None:
        rows = await self._read(_named(updates))
        closed_windows: list[ClosedWindow] = []
        counts: dict[str, int] = {}
        windows = self.windows
        for number, (source, entry) in enumerate(updates):
            if number % _SLICE == 0:
                await asyncio.sleep(0)  # shoppers wait
            if isinstance(entry, Watermark):
                closed_windows += window_index.advance(
                    self._index,
                    source,
                    entry,
                    sources=self._loop.settings.partitions,
                    windows=windows,
                    lateness_ms=self._loop.settings.lateness,
                )
                continue
            if isinstance(entry, ItemImpression):
                for item_id in entry.items:
                    item.fold_impression(rows[item_id].activity, entry.timestamp, windows)
                continue
            row = rows[entry.item_id]
            older = number_at(entry.timestamp, windows) < row.activity.settled
            item.fold(row.whole() if older else row.activity, entry, windows)
            window_index.observe(self._index, source, entry, windows)
            weight = _WEIGHT.get(entry.action, 0)
            if weight and not is_scope(entry.item_id):
                counts[entry.item_id] = counts.get(entry.item_id, 0) + weight
        if closed_windows:
            rows |= await self._read({closing.item_id for closing in closed_windows} - rows.keys())
            await self._evaluate(closed_windows, rows)
        left = iter(rows.items())
        while some := list(islice(left, _SLICE)):
            await self._loop.redis.mset(dict(chain.from_iterable(row.packed(key) for key, row in some)))
        self._kept.put(rows)
        if counts and self._loop.settings.trending:
            await self._loop.count_trends(counts)

    async def _read(self, keys: set[str]) -> dict[str, "_Row"]:
        rows = self._kept.take(keys)
        missing = list(keys - rows.keys())
        names = [f"{part}:{key}" for part in ("i", "w") for key in missing]
        packed = await self._loop.redis.mget(names) if missing else []
        halves = zip(missing, packed[: len(missing)], packed[len(missing) :], strict=True)
        return rows | {key: _Row(row or b"", cold or b"") for key, row, cold in halves}

    async def _evaluate(self, closed_windows: list[ClosedWindow], all_rows: Mapping[str, "_Row"]) -> None:
        rows = {closing.item_id: all_rows[closing.item_id].whole() for closing in closed_windows}
        pending = queries(closed_windows, rows, self._loop.catalogue.categories, self._rules.window_ms, self._forecasts)
        answer, version, fallback = None, "", None
        if pending.tensors is not None and self._loop.forecasts:
            arrays, version = await self._loop.infer(DEMAND_MODEL, pending.tensors._asdict())
            answer = DemandAnswer(arrays["quantiles"])
        elif pending.tensors is not None:
            answer, fallback = fallback_quantiles(pending.tensors, self._loop.settings.horizon), MODEL_UNAVAILABLE
        outputs = evaluate_windows(
            closed_windows,
            rows,
            pending,
            answer,
            self._forecasts,
            self._index.score_counts,
            self._loop.catalogue.categories,
            model=ModelRef(DEMAND_MODEL, version),
            fallback=fallback,
            rules=self._rules,
        )
        messages: Messages = {}
        for output in outputs:
            topic = Topic.DEMAND_FORECASTS if isinstance(output, DemandForecast) else Topic.DEMAND_ALERTS
            key = output.item_id or str(output.id)
            place = topic, partition_of(key, self._loop.settings.partitions)
            messages.setdefault(place, []).append((key.encode(), _encode(output), output.timestamp))
        await self._loop.send(messages)


class _Row:
    """An item's row: its counters, and its older windows packed."""

    def __init__(self, packed: bytes, cold: bytes) -> None:
        self.activity = item.unpack(packed)
        self._cold = cold

    def whole(self) -> ItemActivity:
        cold_windows.merge(self.activity, self._cold)
        return self.activity

    def packed(self, key: str) -> Iterator[tuple[str, bytes]]:
        cold = cold_windows.split_cold(self.activity, self._cold)
        if cold is not None:
            self._cold = cold
            yield f"w:{key}", cold
        yield f"i:{key}", item.pack(self.activity)


def _named(updates: Sequence[tuple[int, Entry]]) -> set[str]:
    named: set[str] = set()
    for _, entry in updates:
        if isinstance(entry, ItemUpdate):
            named.add(entry.item_id)
        elif isinstance(entry, ItemImpression):
            named.update(entry.items)
    return named
