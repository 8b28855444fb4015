"""Whether every row of a store is whole: it holds all events of its shopper up to its own fence."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from feature_repo.basics.fences import Fence
from feature_repo.shoppers import shopper
from feature_repo.store.row_store import Kind, RowStore, StoredRow
from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.recordings.traffic.listening import KafkaRecord

Places = Mapping[str, list[tuple[str, int]]]
"""Of each shopper: partition and offset of every event."""


class Rows(NamedTuple):
    """What a store holds of shoppers.

    Attributes:
        found: their rows.
        torn: rows that have passed an event and do not hold it.
    """

    found: int
    torn: int


def places(records: Iterable[KafkaRecord]) -> Places:
    """Where each shopper's events are, of all that was consumed."""
    found: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for record in records:
        if record.topic == Topic.EVENTS:
            found[(record.key or b"").decode()].append((f"{record.topic}/{record.partition}", record.offset))
    return found


def is_whole(row: StoredRow, events: Iterable[tuple[str, int]]) -> bool:
    """Whether a row holds as many events as its fence has passed."""
    fence = Fence(row.fence)
    return sum(shopper.unpack(row.states[0]).counts) == sum(fence.passed(*place) for place in events)


async def rows_of(settings: Settings, events: Places) -> Rows:
    """Hold every shopper's row against the events that were appended."""
    store = await RowStore.open(settings)
    try:
        users = list(events)
        rows = await store.read(Kind.USER, users)
    finally:
        await store.close()
    present = [(user, row) for user, row in zip(users, rows, strict=True) if row.fence]
    return Rows(len(present), sum(not is_whole(row, events[user]) for user, row in present))
