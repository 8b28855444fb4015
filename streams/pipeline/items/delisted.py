"""How long rows of items stay that no catalogue has: bots and typing errors name new ones without end.

An item may be announced after its first events, so what is counted of it is kept for a while: for as long as leaves a
bounded number of such rows in the store. Each write begins the time anew, and the item's record ends it: see
`docs/explanation/exactness.md`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from feature_repo.store.row_store import PERSIST

_MAX_ROWS: Final = 20_000
"""Rows at a time, for a worker: 14 MB of the store's memory."""
_SHORTEST_S: Final = 600.0
_LONGEST_S: Final = 7 * 86_400.0
_FIRST_S: Final = 3_600.0
"""What a worker begins with, as long as it has not seen how many there are."""
_FADING_S: Final = 600.0


class ItemsRow(Protocol):
    """A row that may be an item's."""

    @property
    def listed(self) -> bool:
        """Whether it is known to be an item's that a catalogue has or had, or no item's at all."""
        ...

    @property
    def item_id(self) -> str: ...


class DelistedRows:
    """Watches how many such rows are written.

    Args:
        clock: monotonic seconds.
        may_have: whether the catalogue has an item; every one, of a shop without a catalogue.
    """

    def __init__(self, clock: Callable[[], float], may_have: Callable[[str], bool]) -> None:
        self._clock, self._may_have = clock, may_have
        self._written = _MAX_ROWS * _FADING_S / _FIRST_S
        """In the last minutes, those longer ago counting less."""
        self._noted = clock()

    def ttls(self, rows: Mapping[str, ItemsRow]) -> dict[str, int]:
        """Of rows that are written now: how long those last that do not say themselves that they are an item's."""
        unsure = [key for key, row in rows.items() if not row.listed]
        # What the catalogue has was perhaps written before it was announced; its record comes to its row as well.
        unknown = [key for key in unsure if not self._may_have(rows[key].item_id)]
        return dict.fromkeys(unsure, PERSIST) | dict.fromkeys(unknown, self.ttl_ms(len(unknown)))

    def ttl_ms(self, rows: int) -> int:
        """Milliseconds that so many rows of no item, which are written now, last."""
        now = self._clock()
        self._written = self._written * math.exp((self._noted - now) / _FADING_S) + rows
        self._noted = now
        lasting_s = _MAX_ROWS * _FADING_S / max(self._written, 1e-9)
        return int(1000 * min(max(lasting_s, _SHORTEST_S), _LONGEST_S))
