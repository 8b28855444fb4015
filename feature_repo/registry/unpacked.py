"""Packed states as typed columns, for Feast's on-demand views. A state of no bytes gives the columns of a newcomer."""

from collections.abc import Sequence
from typing import Final

import msgspec
from feast.types import Array, Bool, FeastType, Float64, Int64, String

from feature_repo.basics import money
from feature_repo.basics.actions import ACTIONS
from feature_repo.items import catalogue, item
from feature_repo.items import cold_windows as item_windows
from feature_repo.items.catalogue import CatalogueItem
from feature_repo.items.item import ItemActivity
from feature_repo.shoppers import shopper
from feature_repo.shoppers.history import hashes
from feature_repo.shoppers.shopper import ShopperState
from feature_repo.store.dump import scenario_features

_CODES: Final = list(enumerate(ACTIONS))[1:]

SHOPPER: Final[dict[str, FeastType]] = {
    "recent_items": Array(String),
    "recent_actions": Array(String),
    "recent_times": Array(Int64),
    **{f"{action}_count": Int64 for _, action in _CODES},
    **{f"{action}_last": Int64 for _, action in _CODES},
    "session_start": Int64,
    "session_last": Int64,
    "session_events": Int64,
    "session_items": Int64,
    "session_carts": Int64,
    "sessions": Int64,
    "mean_price": Float64,
    "spent": Float64,
    "channels": Array(String),
    "bought_items": Int64,
    "seen_items": Int64,
    "aliases": Array(String),
    "last_query": String,
}
SCENARIOS: Final[dict[str, FeastType]] = {"scenario_views_json": String}
CATALOGUE: Final[dict[str, FeastType]] = {
    "title": String,
    "description": String,
    "brand": String,
    "categories": Array(String),
    "price": Float64,
    "available": Bool,
    "withdrawn": Bool,
}
ACTIVITY: Final[dict[str, FeastType]] = {
    **{f"item_{action}_count": Int64 for _, action in _CODES},
    "units_sold": Int64,
    "units_returned": Int64,
    "revenue": Float64,
    "newest": Int64,
    "window_numbers": Array(Int64),
    "window_views": Array(Int64),
    "window_carts": Array(Int64),
    "window_purchases": Array(Int64),
}


def shopper_columns(packed: Sequence[bytes | None]) -> dict[str, list[object]]:
    """The columns of `SHOPPER` for a batch of packed rows. Times are ms, prices currency units."""
    return _columns([_shopper(shopper.unpack(state or b"")) for state in packed])


def scenario_columns(packed: Sequence[bytes | None]) -> dict[str, list[object]]:
    """The column of `SCENARIOS` for a batch of packed rows: what scenarios keep for themselves, by view, as JSON."""
    rows = [msgspec.json.encode(scenario_features(state) if state else {}).decode() for state in packed]
    return {"scenario_views_json": list(rows)}


def catalogue_columns(packed: Sequence[bytes | None]) -> dict[str, list[object]]:
    """The columns of `CATALOGUE` for a batch of packed rows; NaN for no price."""
    return _columns([_catalogue(catalogue.unpack(state or b"")) for state in packed])


def activity_columns(packed: Sequence[bytes | None], cold_windows: Sequence[bytes | None]) -> dict[str, list[object]]:
    """The columns of `ACTIVITY` for a batch of packed rows.

    Args:
        cold_windows: of each. Feast reads view by view, so a row that is written in between
            may come without them: it has the columns of its newest windows.
    """
    states = [
        item_windows.merged(row or b"", older) if older else item.unpack(row or b"")
        for row, older in zip(packed, cold_windows, strict=True)
    ]
    return _columns([_activity(state) for state in states])


def _columns(rows: Sequence[dict[str, object]]) -> dict[str, list[object]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _shopper(state: ShopperState) -> dict[str, object]:
    session = state.session
    return {
        "recent_items": list(state.recent.items),
        "recent_actions": [ACTIONS[action] for action in state.recent.actions],
        "recent_times": state.recent.times,
        **{f"{action}_count": _at(state.counts, code) for code, action in _CODES},
        **{f"{action}_last": _at(state.last, code) for code, action in _CODES},
        "session_start": session.start,
        "session_last": session.last,
        "session_events": session.events,
        "session_items": session.items,
        "session_carts": session.carts,
        "sessions": session.count,
        "mean_price": (
            money.hundredths_of(state.price_sum, state.price_rest) / state.price_count / 100
            if state.price_count
            else 0.0
        ),
        "spent": _amount(state.spent, state.spent_rest),
        "channels": sorted(state.channels),
        "bought_items": len(state.bought) // 8,
        "seen_items": len(set(hashes(shopper.seen_items(state)).tolist())),
        "aliases": state.aliases,
        "last_query": state.last_query,
    }


def _catalogue(state: CatalogueItem) -> dict[str, object]:
    return {
        "title": state.title,
        "description": state.description,
        "brand": state.brand,
        "categories": state.categories,
        "price": float("nan") if state.price_cents == money.NO_PRICE else money.units(state.price_cents),
        "available": state.available,
        "withdrawn": state.withdrawn,
    }


def _activity(state: ItemActivity) -> dict[str, object]:
    windows = sorted(state.windows.items())
    return {
        **{f"item_{action}_count": _at(state.counts, code) for code, action in _CODES},
        "units_sold": state.units,
        "units_returned": state.returned,
        "revenue": _amount(state.revenue, state.revenue_rest),
        "newest": state.newest,
        "window_numbers": [number for number, _ in windows],
        "window_views": [counts.views for _, counts in windows],
        "window_carts": [counts.carts for _, counts in windows],
        "window_purchases": [counts.purchases for _, counts in windows],
    }


def _amount(total: int, rest: int) -> float:
    return money.hundredths_of(total, rest) / 100


def _at(values: Sequence[int], code: int) -> int:
    return values[code] if code < len(values) else 0
