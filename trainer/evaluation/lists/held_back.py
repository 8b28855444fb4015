"""The moments of a stream's end at which a worker would answer, each with the shopper's row as it is then."""

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from feature_repo.basics.fences import SeenIds
from feature_repo.basics.identity import event_tie
from feature_repo.shoppers.shopper import ShopperState, fold
from headrace.errors import BadRecord
from headrace.messages.decoding import decode_event, decode_item
from headrace.messages.events import Event, EventType
from headrace.messages.items import Item
from headrace.recording.reading import Record, read_recording
from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.serving.catalogue.catalogue import Catalogue
from trainer.data.impressions import CLICK_WINDOW_MS

TRAINING_SHARE: Final = 0.9
"""Of wanted events, oldest first: what `headrace train` learns from when it is given the same stream."""
_WANTED: Final = frozenset({EventType.VIEW, EventType.CLICK, EventType.ADD_TO_CART, EventType.PURCHASE})

Clicks = Mapping[tuple[str, str], Collection[str]]


class Recorded(NamedTuple):
    """What a worker would have taken of a stream, in its order; what it refuses is left out."""

    events: list[Event]
    catalogue: Catalogue

    def split(self) -> int:
        """The time (ms) from which on `headrace train` holds back, given this stream; 0 where nothing is wanted."""
        wanted = [event.timestamp for event in self.events if event.type in _WANTED]
        return int(np.quantile(wanted, TRAINING_SHARE)) if wanted else 0


def read_recorded(stream: Path, settings: Settings, on_progress: Callable[[int], None]) -> Recorded:
    """Read a stream as a worker does.

    Raises:
        UsageError: the file is no recorded stream.
    """
    found = Recorded([], Catalogue())
    for n, record in enumerate(read_recording(stream), 1):
        try:
            _take(found, record, settings)
        except BadRecord:
            continue
        if n % 5_000 == 0:
            on_progress(n)
    return found


def states(events: list[Event]) -> Iterator[tuple[Event, ShopperState]]:
    """Each event once with its shopper's row: an impression's before it, any other event's after it (rule 8)."""
    rows: dict[str, ShopperState] = {}
    seen: dict[str, SeenIds] = {}
    for event in events:
        ids = seen.setdefault(event.user_id, SeenIds())
        tie = event_tie(event.event_id)
        if tie in ids:
            continue
        ids.add(tie)
        state = rows.setdefault(event.user_id, ShopperState())
        if event.type is EventType.IMPRESSION:
            yield event, state
            fold(state, event)
        else:
            fold(state, event)
            yield event, state


def clicks_on(events: list[Event]) -> Clicks:
    """Items clicked on each impression, by shopper and event id: by the request that a click names, or the newest."""
    shown: dict[tuple[str, str | None], Event] = {}
    clicked: dict[tuple[str, str], set[str]] = {}
    for event in events:
        user = event.user_id
        if event.type is EventType.IMPRESSION:
            shown |= {(user, name): event for name in (event.request_id, event.event_id, None)}
        elif event.type is EventType.CLICK and event.item_id is not None:
            led = shown.get((user, event.request_id))
            if led is not None and event.timestamp - led.timestamp <= CLICK_WINDOW_MS:
                clicked.setdefault((user, led.event_id), set()).add(event.item_id)
    return clicked


def _take(found: Recorded, record: Record, settings: Settings) -> None:
    if record.topic == Topic.ITEMS:
        key = None if record.key is None else record.key.encode("utf-8", "surrogateescape")
        item = decode_item(key, record.value, appended_ms=record.timestamp, settings=settings)
        if isinstance(item, Item):
            found.catalogue.put(item)
        else:
            found.catalogue.withdraw(item.item_id)
    elif record.topic == Topic.EVENTS:
        found.events.append(decode_event(record.value, appended_ms=record.timestamp, settings=settings))
