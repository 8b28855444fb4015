"""What the simulated shop's recording and truth hold, as the verdict and the story need it."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from headrace.messages.events import Event, EventType
from headrace.messages.items import Item
from headrace.recording.reading import Record, read_recording
from headrace.recording.writing import RecordingWriter
from headrace.topics import Topic

TRAINED_SHARE = 2 / 3


class Anomaly(Struct, frozen=True):
    """A planted demand anomaly; `start` and `end` are event time in ms."""

    scope: str
    item_id: str
    start: int
    end: int
    direction: Literal["spike", "drop"]


class Truth(Struct, frozen=True):
    """What the simulator knows and no model is told."""

    anomalies: list[Anomaly]
    ctr: dict[str, list[float]]


class Shop:
    """A recording in memory.

    Attributes:
        titles: item id → title.
        events: all events, in time order.
        clicked: impression's event id → items clicked on it.
        cut: event time in ms up to which the model was trained.
    """

    def __init__(self, recording: Path) -> None:
        self.titles: dict[str, str] = {}
        self.events: list[Event] = []
        for record in read_recording(recording):
            if record.value is not None and record.topic == Topic.ITEMS:
                item = msgspec.json.decode(record.value, type=Item)
                self.titles[item.item_id] = item.title
            elif record.value is not None:
                self.events.append(msgspec.json.decode(record.value, type=Event))
        self.clicked = _clicks(self.events)
        first, last = self.events[0].timestamp, self.events[-1].timestamp
        self.cut = first + int((last - first) * TRAINED_SHARE)

    def answered(self, triggers: frozenset[EventType]) -> Iterator[Event]:
        """Events that are owed recommendations."""
        return (event for event in self.events if event.type in triggers)

    def impressions(self) -> Iterator[Event]:
        """Events that are owed click probabilities."""
        return (event for event in self.events if event.type is EventType.IMPRESSION)


def read_truth(recording: Path) -> Truth:
    """The truth that `headrace simulate` wrote beside a recording."""
    return msgspec.json.decode(Path(f"{recording}.truth.json").read_bytes(), type=Truth)


def write_past(recording: Path, out: Path, cut: int) -> None:
    """Write the part of a recording that a model may learn from: the catalogue, and what came before `cut`."""
    with RecordingWriter(out) as writer:
        for record in read_recording(recording):
            if _is_past(record, cut):
                writer.write(record)


def _is_past(record: Record, cut: int) -> bool:
    return record.topic == Topic.ITEMS or record.timestamp < cut


def _clicks(events: list[Event]) -> dict[str, set[str]]:
    by_request = {e.request_id or e.event_id: e.event_id for e in events if e.type is EventType.IMPRESSION}
    clicked: defaultdict[str, set[str]] = defaultdict(set)
    for event in events:
        if event.type is EventType.CLICK and event.request_id in by_request and event.item_id:
            clicked[by_request[event.request_id]].add(event.item_id)
    return clicked
