"""An item's older windows, set aside: its counters change with every event, a window that is over hardly ever.

A busy item's row is kilobytes of windows, of which an event changes one at most. So they are a view of their own, left
alone by most writes and packed in memory until a closing or a late event asks for them. Where the cut lies is nothing
but bookkeeping: joined, the row says the same wherever it was.
"""

from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from feature_repo import item
from feature_repo.item import ItemActivity, WindowCounts, in_order
from feature_repo.schema import reader
from streams.errors import DamagedRow

_MOST: Final = 8
"""Windows in hand; with more of them the older ones are set aside."""
_LEFT: Final = 3
"""Windows, the newest that there are, that stay in hand: sources run ahead of each other a little."""

T = TypeVar("T")


class ItemWindows(Struct, array_like=True, forbid_unknown_fields=True):
    """What is set aside of an `ItemActivity`: its fields of the same names, below the window `settled`."""

    windows: dict[int, WindowCounts] = {}
    sold: dict[int, int] = {}
    shards: dict[int, list[int]] = {}
    paid: dict[int, list[int]] = {}


_encoder = msgspec.msgpack.Encoder()
unpack = reader(ItemWindows)


def join(state: ItemActivity, aside: bytes) -> None:
    """Bring back what was set aside, in place. Without anything set aside `aside` says nothing.

    Raises:
        NewerRows: a later version set them aside.
        DamagedRow: there should be some, and there are none.
    """
    if not state.settled:
        return
    if not aside:
        raise DamagedRow(f"An item's row lacks its windows before number {state.settled}: see `headrace rebuild`.")
    older = unpack(aside)
    state.windows = {number: c for number, c in older.windows.items() if number > state.forgotten} | state.windows
    state.sold = older.sold | state.sold
    state.shards = older.shards | state.shards
    state.paid = older.paid | state.paid
    state.settled = 0


def joined(packed: bytes, aside: bytes) -> ItemActivity:
    """The item whose row is stored in these two."""
    state = item.unpack(packed)
    join(state, aside)
    return state


def set_aside(state: ItemActivity, aside: bytes) -> bytes | None:
    """Take the older windows of a row out of it, in place; None where nothing changes of what is set aside.

    Args:
        aside: what is set aside already.

    Returns:
        what is set aside now; equal states give equal bytes.
    """
    if len(state.windows) <= _MOST:
        return None
    join(state, aside)
    # The newest that there are: a clock that runs ahead of the others must not settle what goes on.
    cut = state.settled = sorted(state.windows)[-_LEFT]
    windows, state.windows = _cut(state.windows, cut)
    sold, state.sold = _cut(state.sold, cut)
    shards, state.shards = _cut(state.shards, cut)
    paid, state.paid = _cut(state.paid, cut)
    now_aside = _encoder.encode(ItemWindows(windows, sold, shards, paid))
    return None if now_aside == aside else now_aside


def _cut(by_window: dict[int, T], at: int) -> tuple[dict[int, T], dict[int, T]]:
    """What is older than window `at`, in order, and the rest. The argument is used up."""
    older, left = in_order(by_window), dict[int, T]()
    while older:
        number, value = older.popitem()
        if number < at:
            older[number] = value
            break
        left[number] = value
    return older, left
