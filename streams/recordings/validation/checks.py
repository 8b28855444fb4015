"""The checks of `headrace validate`: each sees every record once, and says at the end how it went."""

from collections import Counter
from hashlib import blake2b
from typing import Final, Protocol

from headrace.messages.events import Event, EventType
from headrace.messages.items import Item, Withdrawn
from headrace.messages.requests import ScoreRequest
from headrace.recording.reading import Record
from streams.recordings.validation.validation_report import Result, Status, Tally

Message = Event | Item | Withdrawn | ScoreRequest | None  # None: another topic, or a record that is none of these

_TRAIN_USERS, _TRAIN_EVENTS, _TRAIN_ITEMS = 50, 1_000, 20
_LINKED: Final = 0.9
_COVERED: Final = 0.99


class Check(Protocol):
    """One property of a stream."""

    def see(self, place: str, record: Record, message: Message) -> None:
        """Take note of a record; `place` names its line."""
        ...

    def results(self) -> list[Result]:
        """The verdict, once all records have been seen."""
        ...


class InOrder:
    """Records stand in the order of their timestamps; events may be a little late."""

    def __init__(self) -> None:
        self._records, self._late = Tally(), Tally()
        self._timestamp = self._event_time = 0

    def see(self, place: str, record: Record, message: Message) -> None:
        if record.timestamp < self._timestamp:
            self._records.add(f"{place}: {record.timestamp} after {self._timestamp}")
        self._timestamp = max(self._timestamp, record.timestamp)
        if isinstance(message, Event):
            if message.timestamp < self._event_time:
                self._late.add(f"{place}: {message.event_id}, {self._event_time - message.timestamp} ms late")
            self._event_time = max(self._event_time, message.timestamp)

    def results(self) -> list[Result]:
        return [
            self._records.result("time order", "records stand in order of time", "records go back in time"),
            self._late.result(
                "event time", "no event is late", "events come after younger ones", otherwise=Status.WARN
            ),
        ]


class Catalogue:
    """An item is described before the first event that names it."""

    def __init__(self) -> None:
        self._described: set[str] = set()
        self._named: Counter[str] = Counter()
        self._too_late = Tally()

    def see(self, place: str, record: Record, message: Message) -> None:
        if isinstance(message, Item):
            if message.item_id not in self._described and message.item_id in self._named:
                self._too_late.add(f"{place}: {message.item_id}")
            self._described.add(message.item_id)
        elif isinstance(message, Event | ScoreRequest):
            self._named.update(_items_of(message))

    def results(self) -> list[Result]:
        return [
            self._too_late.result(
                "items first", "items come before their events", "items come after events that name them"
            ),
            self._coverage(),
        ]

    def _coverage(self) -> Result:
        unknown = [item for item in self._named if item not in self._described]
        total = self._named.total()
        share = 1.0 - sum(self._named[item] for item in unknown) / max(total, 1)
        status = Status.PASS if share >= _COVERED else Status.WARN
        detail = f"{share:.1%} of {total} mentions are of items in the catalogue"
        return Result("catalogue", status, detail, [] if status is Status.PASS else unknown[:3])


class Ids:
    """An event id stands for one event: repeated with the same bytes it is a retry, with others a mistake."""

    def __init__(self) -> None:
        self._seen: dict[str, bytes] = {}
        self._retries, self._clashes = Tally(), Tally()

    def see(self, place: str, record: Record, message: Message) -> None:
        if not isinstance(message, Event):
            return
        digest = blake2b(record.value or b"", digest_size=8).digest()
        before = self._seen.get(message.event_id)
        if before is None:
            self._seen[message.event_id] = digest
        elif before == digest:
            self._retries.add(f"{place}: {message.event_id}")
        else:
            self._clashes.add(f"{place}: {message.event_id}")

    def results(self) -> list[Result]:
        return [
            self._clashes.result("event ids", "an id stands for one event", "ids stand for different events"),
            self._retries.result("retries", "no event is repeated", "events are repeated", otherwise=Status.WARN),
        ]


class Keys:
    """Keys name the shopper or the item; others are allowed, and cost a worker a detour."""

    def __init__(self) -> None:
        self._others = Tally()

    def see(self, place: str, record: Record, message: Message) -> None:
        if message is None or isinstance(message, Withdrawn):
            return
        wanted = message.item_id if isinstance(message, Item) else message.user_id
        if record.key != wanted:
            self._others.add(f"{place}: key {record.key!r}, value {wanted!r}")

    def results(self) -> list[Result]:
        return [
            self._others.result(
                "keys", "keys equal user_id or item_id", "keys differ from the value's id", otherwise=Status.WARN
            )
        ]


class Clicks:
    """A click names an impression that came before it and showed the item."""

    def __init__(self) -> None:
        self._shown: dict[str, frozenset[str]] = {}
        self._clicks = 0
        self._lost = Tally()

    def see(self, place: str, record: Record, message: Message) -> None:
        if not isinstance(message, Event):
            return
        if message.type is EventType.IMPRESSION:
            items = frozenset(message.items or ())
            for name in {message.event_id, message.request_id} - {None}:
                self._shown[str(name)] = items
        elif message.type is EventType.CLICK:
            self._clicks += 1
            if message.item_id not in self._shown.get(message.request_id or "", ()):
                self._lost.add(f"{place}: {message.event_id}")

    def results(self) -> list[Result]:
        if not self._shown:
            detail = "no impressions: a model trained on this has no click head"
            return [Result("clicks", Status.WARN, detail)]
        share = 1.0 - self._lost.count / max(self._clicks, 1)
        detail = f"{share:.1%} of {self._clicks} clicks name an impression that showed the item"
        if share >= _LINKED:
            return [Result("clicks", Status.PASS, detail)]
        return [Result("clicks", Status.WARN, detail, self._lost.examples)]


class Enough:
    """There is enough to train on."""

    def __init__(self) -> None:
        self._by_user: Counter[str] = Counter()
        self._items: set[str] = set()

    def see(self, place: str, record: Record, message: Message) -> None:
        if isinstance(message, Event) and message.item_id is not None:
            self._by_user[message.user_id] += 1
            self._items.add(message.item_id)

    def results(self) -> list[Result]:
        events, items = self._by_user.total(), len(self._items)
        users = sum(count >= 3 for count in self._by_user.values())
        enough = users >= _TRAIN_USERS and events >= _TRAIN_EVENTS and items >= _TRAIN_ITEMS
        detail = f"{events} events with {items} items, {users} shoppers with three or more"
        if enough:
            return [Result("enough to train", Status.PASS, detail)]
        wanted = f"; a model wants {_TRAIN_EVENTS}, {_TRAIN_ITEMS} and {_TRAIN_USERS}"
        return [Result("enough to train", Status.WARN, detail + wanted)]


def _items_of(message: Event | ScoreRequest) -> list[str]:
    items = message.items or []
    single = message.item_id if isinstance(message, Event) else None
    return items if single is None else [*items, single]


def all_checks() -> list[Check]:
    """Fresh checks of everything that can be said of a record which keeps the contract."""
    return [InOrder(), Catalogue(), Ids(), Keys(), Clicks(), Enough()]
