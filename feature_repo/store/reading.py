"""The online store read by people and programs: one row with what it joins to, or every row as lines."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from feature_repo.items import catalogue
from feature_repo.items import cold_windows as item_windows
from feature_repo.items.catalogue import CatalogueItem
from feature_repo.items.item import as_features
from feature_repo.items.scopes import series_of
from feature_repo.shoppers import shopper
from feature_repo.shoppers.joined import Joined, join, known_prices
from feature_repo.store.dump import (
    FEATURES,
    PARTS,
    SERIES,
    Line,
    scenario_features,
    scenario_view_names,
    series_lines,
)
from feature_repo.store.row_store import VIEWS, Kind, RowStore
from headrace.scenarios.registry import installed

_ROWS_AT_ONCE: Final = 500
_PRICES: Final = 2_000
"""Items whose prices stand for the catalogue's: the first that a scan finds, and a scan goes by hash."""


async def read_user(store: RowStore, user_id: str) -> tuple[dict[str, Any], Joined] | None:
    """A shopper's features and what they join to; None for a shopper of whom nothing is known."""
    row = (await store.read(Kind.USER, [user_id]))[0]
    if not row.states[0]:
        return None
    state = shopper.unpack(row.states[0])
    items = await _catalogue(store, list(set(state.recent.items)))
    sample = await _catalogue(store, await _some_items(store))
    joined = join(state, items, known_prices(sample.values()))
    own = scenario_features(row.states[1]) if row.states[1] else {}
    return FEATURES["shopper"](row.states[0]) | own, joined


async def read_item(store: RowStore, item_id: str) -> dict[str, dict[str, Any]] | None:
    """An item's features by view, the demand pipeline's decisions included; None for an item no stream has named."""
    described, activity, cold_windows = (await store.read(Kind.ITEM, [item_id]))[0].states
    if not described and not activity:
        return None
    features: dict[str, dict[str, Any]] = {}
    if described:
        encoder = catalogue.unpack(described).encoder_version
        features["item_catalogue"] = FEATURES["item_catalogue"](described) | {"encoder_version": encoder}
    if activity:
        features["item_activity"] = as_features(item_windows.merged(activity, cold_windows))
    return features


def every_line(store: RowStore, runner: asyncio.Runner) -> Iterator[Line]:
    """Every row of the group as a line, sorted by view and key; of the store only keys are held in memory."""
    keys = {kind: runner.run(_sorted_keys(store, kind)) for kind in (Kind.USER, Kind.ITEM)}
    series = [SERIES + one.name for one in installed().series]
    for view in sorted([*FEATURES, *scenario_view_names(), *series]):
        if view in series:
            yield from _series_lines(store, runner, view.removeprefix(SERIES))
            continue
        own = view not in FEATURES
        kind = Kind.USER if own or view in VIEWS[Kind.USER] else Kind.ITEM
        places = [VIEWS[kind].index(part) for part in (("scenario_views",) if own else PARTS[view])]
        rest = iter(keys[kind])
        while part := list(islice(rest, _ROWS_AT_ONCE)):
            for key, row in zip(part, runner.run(store.read(kind, part)), strict=True):
                states = [row.states[place] for place in places]
                if not states[0]:
                    continue
                features = scenario_features(states[0]).get(view) if own else FEATURES[view](*states)
                if features is not None:
                    yield Line(view, key, features)


def _series_lines(store: RowStore, runner: asyncio.Runner, series: str) -> Iterator[Line]:
    keys = [key for key in runner.run(_sorted_keys(store, Kind.SHARD)) if (series_of(key) or ("",))[0] == series]
    lines: list[Line] = []
    for at in range(0, len(keys), _ROWS_AT_ONCE):
        part = keys[at : at + _ROWS_AT_ONCE]
        rows = runner.run(store.read(Kind.SHARD, part))
        lines += series_lines((key, row.states[0]) for key, row in zip(part, rows, strict=True) if row.states[0])
    yield from sorted(lines, key=lambda line: line.key)


async def _sorted_keys(store: RowStore, kind: Kind) -> list[str]:
    return sorted({key async for key in store.keys(kind)})


async def _some_items(store: RowStore) -> list[str]:
    keys: list[str] = []
    async for key in store.keys(Kind.ITEM):
        keys.append(key)
        if len(keys) >= _PRICES:
            break
    return keys


async def _catalogue(store: RowStore, item_ids: Sequence[str]) -> dict[str, CatalogueItem]:
    rows = await store.read(Kind.ITEM, item_ids)
    return {key: catalogue.unpack(row.states[0]) for key, row in zip(item_ids, rows, strict=True) if row.states[0]}
