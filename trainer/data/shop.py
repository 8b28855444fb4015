"""Read a recorded stream once and fold it as the worker does: items, sequences, impressions."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.basics.fences import SeenIds
from feature_repo.basics.identity import event_tie, item_hash
from feature_repo.items.catalogue import item_text
from feature_repo.shoppers.context import ACTION_BITS
from feature_repo.shoppers.recent import RecentEvent, in_order
from feature_repo.shoppers.shopper import ShopperState, fold
from headrace.arrays import Int32s, Ints
from headrace.errors import BadRecord, TooLittleData
from headrace.messages.decoding import decode_event, decode_item
from headrace.messages.events import Event, EventType
from headrace.messages.items import Item
from headrace.recording.reading import Record, read_recording
from headrace.settings.model import load_settings
from headrace.topics import Topic
from trainer.data.impressions import ImpressionLog, Impressions

_WANTED = np.array([ACTION_CODE[a] for a in ("view", "click", "add_to_cart", "purchase")])
_LEAST_EVENTS = 20


class Sequences(NamedTuple):
    """Every shopper's item events, oldest first, one shopper after the other. T events, U shoppers."""

    item: Ints  # [T]  row of the item
    action: Int32s  # [T]
    time: Ints  # [T]  ms
    start: Ints  # [U + 1]  where each shopper begins
    channel: Int32s | None = None  # [T]  bucket of the channel; None where nothing tells

    @property
    def code(self) -> Int32s:
        """Action and channel of each event as one code, as the model's history carries it. [T]"""
        return self.action if self.channel is None else self.action | self.channel << ACTION_BITS

    @property
    def wanted(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which events show that the shopper wanted the item. [T]"""
        return np.isin(self.action, _WANTED)


class Shop(NamedTuple):
    """What a stream tells about a shop. N items, ordered by hash so that a hash finds its row by bisection."""

    item_hash: Ints  # [N]
    item_ids: list[str]
    texts: list[str]
    available: np.ndarray[tuple[int], np.dtype[np.bool_]]  # [N]
    sequences: Sequences
    impressions: Impressions
    events: int
    refused: int
    categories: list[tuple[str, ...]]  # [N]  of each item, none where nothing tells


class _Reader:
    """Folds records in stream order, as the worker does, and keeps each shopper's whole sequence."""

    def __init__(self) -> None:
        self._settings = load_settings()
        self._states: dict[str, ShopperState] = {}
        self._histories: dict[str, list[RecentEvent]] = {}
        self._seen: dict[str, SeenIds] = {}
        self.items: dict[str, Item | None] = {}
        self.log = ImpressionLog()
        self.events = 0
        self.refused = 0

    def add(self, record: Record) -> None:
        """Take one record of any topic; one that breaks the contract is counted and left out, as online."""
        try:
            if record.topic == Topic.ITEMS:
                self._add_item(record)
            elif record.topic == Topic.EVENTS:
                event = decode_event(record.value, appended_ms=record.timestamp, settings=self._settings)
                self._add_event(event)
        except BadRecord:
            self.refused += 1

    def _add_item(self, record: Record) -> None:
        key = None if record.key is None else record.key.encode("utf-8", "surrogateescape")
        item = decode_item(key, record.value, appended_ms=record.timestamp, settings=self._settings)
        if isinstance(item, Item):
            self.items[item.item_id] = item
        elif (known := self.items.get(item.item_id)) is not None:
            self.items[item.item_id] = Item(item_id=known.item_id, title=known.title, available=False)

    def _add_event(self, event: Event) -> None:
        user = event.user_id
        seen = self._seen.setdefault(user, SeenIds())
        tie = event_tie(event.event_id)
        if tie in seen:
            return
        seen.add(tie)
        self.events += 1
        state = self._states.setdefault(user, ShopperState())
        if event.type is EventType.IMPRESSION:
            self.log.show(event, state.recent)
        else:
            self.log.act(event)
        fold(state, event)
        # A row forgets: what this event adds to one is what it adds to an empty one.
        alone = ShopperState()
        fold(alone, event)
        self._histories.setdefault(user, []).extend(alone.recent)

    def histories(self) -> list[list[RecentEvent]]:
        """Each shopper's whole history, by user id."""
        return [sorted(self._histories[user], key=in_order) for user in sorted(self._histories)]


def read_shop(stream: Path, on_progress: Callable[[int], None]) -> Shop:
    """Read a recorded stream.

    Args:
        stream: JSON Lines, plain, `.gz` or `.zst`.
        on_progress: called with the number of records read, now and then.

    Raises:
        UsageError: the file is no recorded stream.
        TooLittleData: it holds too little to learn from.
    """
    reader = _Reader()
    for n, record in enumerate(read_recording(stream), 1):
        reader.add(record)
        if n % 5_000 == 0:
            on_progress(n)
    histories = reader.histories()
    if sum(map(len, histories)) < _LEAST_EVENTS:
        raise TooLittleData(f"{stream} holds fewer than {_LEAST_EVENTS} item events; train on a longer stream")
    return _assemble(reader, histories)


def _assemble(reader: _Reader, histories: list[list[RecentEvent]]) -> Shop:
    impressions = reader.log.collect()
    names = set(reader.items) | {e.item_id for h in histories for e in h} | reader.log.shown_items()
    by_hash = {item_hash(name): name for name in names}
    keys = np.array(sorted(by_hash), np.int64)
    ids = [by_hash[int(key)] for key in keys]
    items = [reader.items.get(name) for name in ids]
    return Shop(
        keys,
        ids,
        [
            item_text(i.title, i.description, i.brand, i.categories) if i else name
            for i, name in zip(items, ids, strict=True)
        ],
        np.array([i is None or i.available for i in items]),
        _sequences(histories, {name: row for row, name in enumerate(ids)}),
        impressions,
        reader.events,
        reader.refused,
        [tuple(i.categories or ()) if i else () for i in items],
    )


def _sequences(histories: list[list[RecentEvent]], row: dict[str, int]) -> Sequences:
    flat = [event for history in histories for event in history]
    return Sequences(
        np.array([row[e.item_id] for e in flat], np.int64),
        np.array([e.action for e in flat], np.int32),
        np.array([e.timestamp for e in flat], np.int64),
        np.cumsum([0, *(len(h) for h in histories)]),
        np.array([e.channel for e in flat], np.int32),
    )
