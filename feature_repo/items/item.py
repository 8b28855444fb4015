"""An item's features: the packed row, and the fold that updates it from item updates.

Many shoppers change an item, and their partitions interleave differently in every run, so the fold is commutative and
exact (rule 6): integers only, counted in windows of event time. A window is known by its number (`windows`).

Two kinds of windows are kept. `sold` decides about forecasts and alerts, so a window stays until it is evaluated,
however far one source runs ahead of another. `windows` is for people, and keeps a span behind the newest event.
Older windows of either kind may be stored apart as cold windows (`item_windows`); folding an event of one merges them
first.
"""

from itertools import islice
from operator import lt
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from feature_repo.basics import money
from feature_repo.basics.actions import ACTION_CODE, ACTIONS
from feature_repo.basics.schema import reader
from feature_repo.basics.windows import Windows, number_at
from feature_repo.items.scopes import SHARDS
from headrace.arrays import DEMAND_HISTORY, DEMAND_SPAN
from headrace.messages.internal import ItemUpdate

KEPT_WINDOWS: Final = DEMAND_HISTORY + DEMAND_SPAN
"""Windows behind the newest that a row remembers: a history, seen from as far back as windows are judged together."""

T = TypeVar("T")

_PURCHASE: Final = ACTION_CODE["purchase"]
_RETURN: Final = ACTION_CODE["return"]
_IMPRESSION: Final = ACTION_CODE["impression"]


class WindowCounts(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """What happened to an item in one window, on time or late. `returned` and `late` are units, the rest events."""

    views: int = 0
    carts: int = 0
    purchases: int = 0
    returned: int = 0
    late: int = 0


class Episode(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """The current alert: demand has parted from its forecast and has not come back.

    Attributes:
        opened: window whose close raised the alert; names the episode.
        start: first window of the evidence; what is normal is judged from the windows before it.
        spike: whether demand is above, else below.
        quiet: windows in a row that looked normal again.
    """

    opened: int
    start: int
    spike: bool
    quiet: int = 0


class ItemActivity(Struct, array_like=True, forbid_unknown_fields=True):
    """All features of an item. Times are event time in ms, money as in `money`, windows numbers."""

    counts: list[int] = []  # events by action code; as long as the newest code seen
    newest: int = 0
    units: int = 0  # sold, late ones included
    returned: int = 0
    late: int = 0  # units sold that came too late for any decision
    revenue: int = 0  # price × units of the purchases that carried a price
    windows: dict[int, WindowCounts] = {}
    sold: dict[int, int] = {}  # units sold on time
    first: int = -1  # first window with units on time
    evaluated: int = -1  # newest window of which forecasts and alerts are out
    calm: int = -1  # window in which the last episode ended
    episode: Episode | None = None
    unusual: int = -1  # window last counted among the surprising ones
    shards: dict[int, list[int]] = {}  # of a scope: units sold on time by shard of its items
    paid: dict[int, list[int]] = {}  # by window: time of the last price paid in it on time, and the price as it is held
    forgotten: int = -1  # windows up to this one are behind the span that `windows` keeps
    settled: int = 0  # older windows than this are cold (`item_windows`); 0 when none are
    revenue_rest: int = 0  # of `revenue`, in millionths: less than one hundredth


_encoder = msgspec.msgpack.Encoder()
_read = reader(ItemActivity)


def pack(state: ItemActivity) -> bytes:
    """The row's bytes: equal states give equal bytes."""
    # msgspec orders text keys only.
    state.windows, state.sold = in_order(state.windows), in_order(state.sold)
    state.shards, state.paid = in_order(state.shards), in_order(state.paid)
    return _encoder.encode(state)


def in_order(by_window: dict[int, T]) -> dict[int, T]:
    """The same, the oldest window first."""
    # Time mostly goes forward, and then so do the keys: to see that costs a third of sorting.
    if len(by_window) < 2 or all(map(lt, by_window, islice(by_window, 1, None))):
        return by_window
    return dict(sorted(by_window.items()))


def unpack(packed: bytes) -> ItemActivity:
    """The inverse of `pack`; no bytes give an item of which nothing is known."""
    return _read(packed)


def fold(state: ItemActivity, update: ItemUpdate, windows: Windows) -> None:
    """Fold one item update into an item's row, in place; the order of item updates leaves no trace."""
    _count_event(state, update.action)
    window = number_at(update.timestamp, windows)
    # A source that was idle may send on-time item updates of a window that closed without it: late for us.
    late = update.late or window <= state.evaluated
    if update.action == _PURCHASE:
        _fold_purchase(state, update, window, late)
    elif update.action == _RETURN:
        state.returned += update.quantity
    _fold_window(state, update, window, late, windows)


def fold_impression(state: ItemActivity, timestamp: int, windows: Windows) -> None:
    """Fold one impression into the row of an item that it showed, in place."""
    _count_event(state, _IMPRESSION)
    _advance(state, timestamp, windows)


def units_sold(update: ItemUpdate) -> int:
    """Demand in an item update: units of a purchase; returns are counted apart."""
    return update.quantity if update.action == _PURCHASE else 0


def drop_before(state: ItemActivity, window: int) -> None:
    """Drop `sold` windows older than `window`, and prices that no forecast from the newest of them on asks for."""
    if state.sold and min(state.sold) < window:
        state.sold = {number: units for number, units in state.sold.items() if number >= window}
        state.shards = {number: units for number, units in state.shards.items() if number >= window}
    oldest_price = window + KEPT_WINDOWS - DEMAND_SPAN
    if any(number < oldest_price for number in state.paid):
        newest = max(number for number in state.paid if number < oldest_price)
        state.paid = {number: price for number, price in state.paid.items() if number >= newest}


def price_before(state: ItemActivity, window: int) -> int:
    """The last price paid on time before `window`, as it is held; -1 for none."""
    before = [number for number in state.paid if number < window]
    return state.paid[max(before)][1] if before else -1


def as_features(state: ItemActivity) -> dict[str, object]:
    """The row by names, for people and dumps: integers and strings, and of money a fraction of a hundredth."""
    episode = state.episode
    return {
        "events": {ACTIONS[code]: n for code, n in enumerate(state.counts) if n},
        "newest": state.newest,
        "units": state.units,
        "returned": state.returned,
        "late": state.late,
        "revenue_cents": money.hundredths_of(state.revenue, state.revenue_rest),
        "windows": {str(n): msgspec.structs.asdict(c) for n, c in sorted(state.windows.items())},
        "sold": {str(n): units for n, units in sorted(state.sold.items())},
        "price_paid_cents": money.hundredths(state.paid[max(state.paid)][1] if state.paid else money.NO_PRICE),
        "first_window": state.first,
        "concluded_window": state.evaluated,
        "calm_since_window": state.calm,
        "unusual_window": state.unusual,
        "episode": msgspec.structs.asdict(episode) if episode else "",
    }


def _fold_purchase(state: ItemActivity, update: ItemUpdate, window: int, late: bool) -> None:
    state.units += update.quantity
    state.revenue, state.revenue_rest = money.plus(
        state.revenue, state.revenue_rest, update.price_cents, update.quantity
    )
    if late:
        state.late += update.quantity
        return
    state.sold[window] = state.sold.get(window, 0) + update.quantity
    state.first = window if state.first < 0 else min(state.first, window)
    if money.is_paid(update.price_cents) and update.shard < 0:
        state.paid[window] = max(state.paid.get(window, []), [update.timestamp, update.price_cents])
    if update.shard >= 0:
        state.shards.setdefault(window, [0] * SHARDS)[update.shard] += update.quantity


def _count_event(state: ItemActivity, action: int) -> None:
    missing = action + 1 - len(state.counts)
    if missing > 0:
        state.counts += [0] * missing
    state.counts[action] += 1


def _advance(state: ItemActivity, timestamp: int, windows: Windows) -> None:
    """Move on to an event's time; windows that fall behind the span are dropped."""
    if timestamp <= state.newest:
        return
    window = number_at(timestamp, windows)
    if window > number_at(state.newest, windows):
        state.forgotten = window - KEPT_WINDOWS
        if state.windows and min(state.windows) <= state.forgotten:
            state.windows = {n: c for n, c in state.windows.items() if n > state.forgotten}
    state.newest = timestamp


def _fold_window(state: ItemActivity, update: ItemUpdate, window: int, late: bool, windows: Windows) -> None:
    _advance(state, update.timestamp, windows)
    if window <= number_at(state.newest, windows) - KEPT_WINDOWS:
        return
    counts = state.windows.get(window)
    if counts is None:
        counts = state.windows[window] = WindowCounts()
    _count(counts, ACTIONS[update.action], update.quantity, late)


def _count(counts: WindowCounts, action: str, quantity: int, late: bool) -> None:
    match action:
        case "view":
            counts.views += 1
        case "add_to_cart":
            counts.carts += 1
        case "purchase":
            counts.purchases += 1
            counts.late += quantity if late else 0
        case "return":
            counts.returned += quantity
        case _:
            pass
