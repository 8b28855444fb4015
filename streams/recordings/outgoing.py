"""Messages of the contract as records of a stream, fields that hold their default left out."""

from typing import Final

import msgspec

from headrace.messages.events import Event
from headrace.messages.items import Item
from headrace.recording.reading import Record
from headrace.topics import Topic


class NewEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An event to be written."""


class NewItem(Item, frozen=True, kw_only=True, omit_defaults=True):
    """An item to be written."""


_encode: Final = msgspec.json.Encoder().encode


def event_record(event: NewEvent) -> Record:
    """The event on `events`, keyed by its shopper, at its own time."""
    return Record(Topic.EVENTS.value, event.user_id, event.timestamp, _encode(event))


def item_record(item: NewItem, timestamp: int) -> Record:
    """The item on `items`, keyed by its id."""
    return Record(Topic.ITEMS.value, item.item_id, timestamp, _encode(item))
