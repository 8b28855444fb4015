"""The events that a shopper's row remembers one by one: columns, which pack small and are read without a copy."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import accumulate
from operator import sub
from typing import Final, NamedTuple

from msgspec import Struct

from feature_repo.basics.identity import item_hash, packed_hash

RECENT: Final = 50
"""Events that are remembered."""
_MIX: Final = 0x9E3779B97F4A7C15
"""2^64 over the golden ratio: a product with it carries what differs in the lower bits to the upper ones."""
_MASK: Final = (1 << 64) - 1


class RecentEvent(NamedTuple):
    """One remembered event."""

    timestamp: int
    action: int
    item_id: str
    quantity: int
    price_cents: int  # as `money` holds it; -1: the event had no price
    channel: int = 0  # feature_repo.shoppers.context bucket


def in_order(event: RecentEvent) -> tuple[int | str, ...]:
    """The key that events are ordered by: event time, then a hash of the item at that time, then all the rest.

    Two that are equal in all of it cannot be told apart, so no order of arrival shows. Nor do the ids: the lines of one
    purchase have one time, and by their ids alone the next would always be the one with the next higher id.
    """
    mixed = (item_hash(event.item_id) ^ event.timestamp) * _MIX & _MASK
    return event.timestamp, mixed, *event[1:]


class Recent(Struct, array_like=True, forbid_unknown_fields=True, frozen=True, dict=True):
    """A shopper's newest events, oldest first, n of them; never changed, so that a question may hold on to it.

    Attributes:
        start: event time of the oldest, ms.
        gaps: ms since the event before; the first is 0. [n]
        actions, channels: codes, a byte each. [n]
        items, quantities, prices: as in `RecentEvent`. [n] each
    """

    start: int = 0
    gaps: list[int] = []
    actions: bytes = b""
    channels: bytes = b""
    items: list[str] = []
    quantities: list[int] = []
    prices: list[int] = []

    @classmethod
    def of(cls, events: Iterable[RecentEvent]) -> "Recent":
        """The newest of some events."""
        newest = sorted(events, key=in_order)[-RECENT:]
        if not newest:
            return cls()
        times, actions, items, quantities, prices, channels = map(list, zip(*newest, strict=True))
        gaps = [0, *map(sub, times[1:], times)]
        return cls(times[0], gaps, bytes(actions), bytes(channels), items, quantities, prices)

    def having(self, event: RecentEvent) -> "Recent":
        """These and one more, less the oldest where they would be too many."""
        gap = event.timestamp - self.start - sum(self.gaps)
        if gap <= 0 or not 0 < len(self) <= RECENT:
            return Recent.of([*self, event])
        start, gaps, kept = self.start, [*self.gaps, gap], slice(-RECENT, None)
        if len(gaps) > RECENT:
            start, gaps = start + gaps[1], [0, *gaps[2:]]
        made = Recent(
            start,
            gaps,
            (self.actions + bytes((event.action,)))[kept],
            (self.channels + bytes((event.channel,)))[kept],
            [*self.items, event.item_id][kept],
            [*self.quantities, event.quantity][kept],
            [*self.prices, event.price_cents][kept],
        )
        if "hashes" in vars(self):  # what `cached_property` has kept
            vars(made)["hashes"] = (self.hashes + packed_hash(event.item_id))[-8 * RECENT :]
        return made

    @cached_property
    def hashes(self) -> bytes:
        """Hashes of the items, 8 bytes each; no part of the row. [n]"""
        return b"".join(map(packed_hash, self.items))

    @property
    def oldest(self) -> RecentEvent:
        """The event that has to make way next; there is one."""
        return next(iter(self))

    @property
    def times(self) -> list[int]:
        """Event times, ms. [n]"""
        return list(accumulate(self.gaps, initial=self.start))[1:]

    def __len__(self) -> int:
        return len(self.gaps)

    def __iter__(self) -> Iterator[RecentEvent]:
        columns = self.times, self.actions, self.items, self.quantities, self.prices, self.channels
        return map(RecentEvent, *columns)
