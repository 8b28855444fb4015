"""Short ways to write the records of a test's own stream."""

import time
from uuid import uuid4

import msgspec

from headrace.recording.reading import Record
from headrace.topics import Topic


def event(type_: str, user_id: str, *, timestamp: int | None = None, **fields: object) -> Record:
    """A record of `events`; nothing is checked, so that a test can send what is wrong.

    Args:
        type_: the event's type.
        user_id: the shopper, also the record's key.
        timestamp: event time, ms since 1970 UTC; now by default.
        fields: all others; `event_id` is unique by default.
    """
    moment = time.time_ns() // 1_000_000 if timestamp is None else timestamp
    value = {"event_id": uuid4().hex, "type": type_, "user_id": user_id, "timestamp": moment, **fields}
    return Record(Topic.EVENTS.value, user_id, moment, msgspec.json.encode(value))


def item(item_id: str, *, title: str, **fields: object) -> Record:
    """A record of `items`, keyed by its id."""
    value = {"item_id": item_id, "title": title, **fields}
    return Record(Topic.ITEMS.value, item_id, time.time_ns() // 1_000_000, msgspec.json.encode(value))


def raw(topic: str, key: str | None, value: bytes | None) -> Record:
    """A record of any bytes on any topic; None is a null value."""
    return Record(topic, key, time.time_ns() // 1_000_000, value)
