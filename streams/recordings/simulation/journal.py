"""Collects a simulated shop's events: gives out ids, and puts everything in order of time at the end."""

from typing import TypedDict, Unpack

from headrace.messages.events import EventType
from headrace.recording.reading import Record
from streams.recordings.outgoing import NewEvent, event_record


class EventFields(TypedDict, total=False):
    """What an event may say beyond who, what and when."""

    item_id: str
    items: list[str]
    request_id: str
    session_id: str
    channel: str
    quantity: int
    price: float
    query: str
    rating: float
    text: str
    user_ids: list[str]
    context: dict[str, str | int | float]
    explored: list[str]


class Journal:
    """The events so far; those after the end of the period are forgotten."""

    def __init__(self, seed: int, end: int) -> None:
        self._seed = seed
        self._end = end
        self._records: list[Record] = []
        self._noted = 0

    def note(self, type_: EventType, user_id: str, timestamp: int, **fields: Unpack[EventFields]) -> str | None:
        """Write an event down; its id, or None when it lies after the end."""
        self._noted += 1
        if timestamp >= self._end:
            return None
        event_id = f"s{self._seed}-{self._noted:07d}"
        event = NewEvent(event_id=event_id, type=type_, user_id=user_id, timestamp=timestamp, **fields)
        self._records.append(event_record(event))
        return event_id

    def in_order(self) -> list[Record]:
        """All records by time; those of one moment in the order in which they were noted."""
        return sorted(self._records, key=lambda record: record.timestamp)
