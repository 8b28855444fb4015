"""An item's cold windows: its counters change with every event, a window that is over hardly ever.

A busy item's row is kilobytes of windows, of which an event changes one at most. So they are a view of their own, left
alone by most writes and packed in memory until a closed window or a late event asks for them. Where the cut lies is
nothing
but bookkeeping: joined, the row says the same wherever it was.
"""

from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from feature_repo.basics.schema import reader
from feature_repo.items import item
from feature_repo.items.item import ItemActivity, WindowCounts, in_order
from headrace.errors import DamagedRow

_MAX_WINDOWS: Final = 8
"""Windows in the hot row; with more of them the older ones become cold."""
_HOT_WINDOWS: Final = 3
"""Windows, the newest that there are, that stay hot: sources run ahead of each other a little."""

T = TypeVar("T")


class ColdWindows(Struct, array_like=True, forbid_unknown_fields=True):
    """The cold windows of an `ItemActivity`: its fields of the same names, below the window `settled`."""

    windows: dict[int, WindowCounts] = {}
    sold: dict[int, int] = {}
    shards: dict[int, list[int]] = {}
    paid: dict[int, list[int]] = {}


_encoder = msgspec.msgpack.Encoder()
unpack = reader(ColdWindows)


def merge(state: ItemActivity, cold_windows: bytes) -> None:
    """Merge the cold windows into the row, in place; where it has none `cold_windows` is ignored.

    Raises:
        NewerRows: a later version wrote them.
        DamagedRow: there should be some, and there are none.
    """
    if not state.settled:
        return
    if not cold_windows:
        raise DamagedRow(f"An item's row lacks its windows before number {state.settled}: see `headrace rebuild`.")
    older = unpack(cold_windows)
    state.windows = {number: c for number, c in older.windows.items() if number > state.forgotten} | state.windows
    state.sold = older.sold | state.sold
    state.shards = older.shards | state.shards
    state.paid = older.paid | state.paid
    state.settled = 0


def merged(packed: bytes, cold_windows: bytes) -> ItemActivity:
    """The item whose row is stored in these two."""
    state = item.unpack(packed)
    merge(state, cold_windows)
    return state


def split_cold(state: ItemActivity, cold_windows: bytes) -> bytes | None:
    """Split the older windows of a row off, in place; None where the cold windows stay as they are.

    Args:
        cold_windows: the cold windows so far.

    Returns:
        the cold windows now; equal states give equal bytes.
    """
    if len(state.windows) <= _MAX_WINDOWS:
        return None
    merge(state, cold_windows)
    # The newest that there are: a clock that runs ahead of the others must not settle what goes on.
    cut = state.settled = sorted(state.windows)[-_HOT_WINDOWS]
    windows, state.windows = _cut(state.windows, cut)
    sold, state.sold = _cut(state.sold, cut)
    shards, state.shards = _cut(state.shards, cut)
    paid, state.paid = _cut(state.paid, cut)
    serialised = _encoder.encode(ColdWindows(windows, sold, shards, paid))
    return None if serialised == cold_windows else serialised


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
