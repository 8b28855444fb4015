"""Packed states as typed columns, for Feast's on-demand views. A state of no bytes gives the columns of a newcomer."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from feast import Field
from feast.types import Array, Bool, FeastType, Float64, Int64, String

from feature_repo import catalogue, item, shopper
from feature_repo.actions import ACTIONS
from feature_repo.catalogue import CatalogueItem
from feature_repo.item import ItemActivity
from feature_repo.shopper import ShopperState


class Column(NamedTuple):
    """One typed feature: how it is read off a state."""

    dtype: FeastType
    read: Callable[[Any], object]


def _at(values: Sequence[int], code: int) -> int:
    return values[code] if code < len(values) else 0


def _count(code: int) -> Column:
    return Column(Int64, lambda state: _at(state.counts, code))


def _last(code: int) -> Column:
    return Column(Int64, lambda state: _at(state.last, code))


def _mean_price(state: ShopperState) -> float:
    return state.price_sum / state.price_count / 100 if state.price_count else 0.0


def _price(state: CatalogueItem) -> float:
    return state.price_cents / 100 if state.price_cents >= 0 else float("nan")


def _windows(field: str) -> Column:
    def read(state: ItemActivity) -> list[int]:
        return [getattr(counts, field) for _, counts in sorted(state.windows.items())]

    return Column(Array(Int64), read)


_CODES: Final = list(enumerate(ACTIONS))[1:]

SHOPPER: Final[dict[str, Column]] = {
    "recent_items": Column(Array(String), lambda s: [e.item_id for e in s.recent]),
    "recent_actions": Column(Array(String), lambda s: [ACTIONS[e.action] for e in s.recent]),
    "recent_times": Column(Array(Int64), lambda s: [e.timestamp for e in s.recent]),
    **{f"{action}_count": _count(code) for code, action in _CODES},
    **{f"{action}_last": _last(code) for code, action in _CODES},
    "session_start": Column(Int64, lambda s: s.session.start),
    "session_last": Column(Int64, lambda s: s.session.last),
    "session_events": Column(Int64, lambda s: s.session.events),
    "session_items": Column(Int64, lambda s: s.session.items),
    "session_carts": Column(Int64, lambda s: s.session.carts),
    "sessions": Column(Int64, lambda s: s.session.count),
    "mean_price": Column(Float64, _mean_price),
    "spent": Column(Float64, lambda s: s.spent / 100),
    "channels": Column(Array(String), lambda s: sorted(s.channels)),
    "bought_items": Column(Int64, lambda s: len(s.bought) // 8),
    "seen_items": Column(Int64, lambda s: len(s.seen) // 8),
    "aliases": Column(Array(String), lambda s: s.aliases),
    "last_query": Column(String, lambda s: s.last_query),
}
CATALOGUE: Final[dict[str, Column]] = {
    "title": Column(String, lambda s: s.title),
    "description": Column(String, lambda s: s.description),
    "brand": Column(String, lambda s: s.brand),
    "categories": Column(Array(String), lambda s: s.categories),
    "price": Column(Float64, _price),
    "available": Column(Bool, lambda s: s.available),
    "withdrawn": Column(Bool, lambda s: s.withdrawn),
}
ACTIVITY: Final[dict[str, Column]] = {
    **{f"item_{action}_count": _count(code) for code, action in _CODES},
    "units_sold": Column(Int64, lambda s: s.units),
    "units_returned": Column(Int64, lambda s: s.returned),
    "revenue": Column(Float64, lambda s: s.revenue / 100),
    "newest": Column(Int64, lambda s: s.newest),
    "window_numbers": Column(Array(Int64), lambda s: sorted(s.windows)),
    "window_views": _windows("views"),
    "window_carts": _windows("carts"),
    "window_purchases": _windows("purchases"),
}


def schema(columns: dict[str, Column]) -> list[Field]:
    """The columns as Feast declares them."""
    return [Field(name=name, dtype=column.dtype) for name, column in columns.items()]


def _unpack_all(
    columns: dict[str, Column], unpack: Callable[[bytes], object], packed: Sequence[bytes | None]
) -> dict[str, list[object]]:
    states = [unpack(state or b"") for state in packed]
    return {name: [column.read(state) for state in states] for name, column in columns.items()}


def shopper_columns(packed: Sequence[bytes | None]) -> dict[str, list[object]]:
    """The columns of `SHOPPER` for a batch of packed rows."""
    return _unpack_all(SHOPPER, shopper.unpack, packed)


def catalogue_columns(packed: Sequence[bytes | None]) -> dict[str, list[object]]:
    """The columns of `CATALOGUE` for a batch of packed rows."""
    return _unpack_all(CATALOGUE, catalogue.unpack, packed)


def activity_columns(packed: Sequence[bytes | None]) -> dict[str, list[object]]:
    """The columns of `ACTIVITY` for a batch of packed rows."""
    return _unpack_all(ACTIVITY, item.unpack, packed)
