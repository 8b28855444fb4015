"""Rows as lines that can be compared: every feature by name, no bookkeeping, nothing that a model derived."""

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import msgspec
import numpy as np
from msgspec import Struct

from feature_repo.basics import money
from feature_repo.basics.actions import ACTIONS
from feature_repo.items import catalogue, item, series_counts
from feature_repo.items import cold_windows as item_windows
from feature_repo.items.scopes import kind_and_name, series_of
from feature_repo.shoppers import shopper
from feature_repo.shoppers.history import hashes
from feature_repo.shoppers.scenario_states import ScenarioStateCodec
from headrace.files.atomic import output_file
from headrace.scenarios.registry import installed

#: What the demand pipeline notes when it evaluates windows: it depends on the served model, not on the stream alone.
_DECISIONS: Final = ("sold", "concluded_window", "calm_since_window", "episode", "unusual_window")


TIMERS: Final = "timers"
SERIES: Final = "series/"
"""Before the name of a series, where a line has a view."""


class Line(Struct):
    """One row of one view."""

    view: str
    key: str
    features: dict[str, Any]


class Rows(NamedTuple):
    """The packed rows of a stream or a store, by view and key; the fields are the views."""

    item_activity: dict[str, bytes]
    item_catalogue: dict[str, bytes]
    shopper: dict[str, bytes]
    scenario_views: dict[str, bytes]
    series: Mapping[str, bytes] = {}

    def lines(self) -> Iterable[Line]:
        """Every row as a line, sorted by view and key."""
        lines = [
            Line(view, key, FEATURES[view](packed))
            for view, rows in self._asdict().items()
            if view in FEATURES
            for key, packed in rows.items()
        ]
        for key, packed in self.scenario_views.items():
            lines += [Line(view, key, features) for view, features in scenario_features(packed).items()]
        lines += series_lines(self.series.items())
        return sorted(lines, key=lambda line: (line.view, line.key))


def scenario_features(packed: bytes) -> dict[str, dict[str, Any]]:
    """What scenarios keep of a shopper for themselves: the features of each view, and when timers are due."""
    states = ScenarioStateCodec(installed().views).unpack(packed)
    features: dict[str, dict[str, Any]] = {view: msgspec.to_builtins(state) for view, state in states.views.items()}
    due = {f"{scenario}/{timer}": at for scenario, timers in states.timers.due.items() for timer, at in timers.items()}
    return features | ({TIMERS: due} if due else {})


def series_lines(rows: Iterable[tuple[str, bytes]]) -> Iterable[Line]:
    """The rows of series that are declared, by the keys of the rows: what the stream alone decides."""
    declared = {series.name: series for series in installed().series}
    for row_key, packed in rows:
        found = series_of(row_key)
        if found is not None and found[0] in declared:
            series = declared[found[0]]
            kind, name = kind_and_name(found[1])
            features = series_counts.as_features(series_counts.unpack(packed, series), series)
            yield Line(SERIES + series.name, kind if name is None else f"{kind}/{name}", features)


def scenario_view_names() -> list[str]:
    """The views that `scenario_features` may name."""
    return [*(view.name for view in installed().views), TIMERS]


def shopper_features(packed: bytes) -> dict[str, Any]:
    """A shopper's row by names, the recent events first; packed lists of item hashes in Base64, those seen in order."""
    state = shopper.unpack(packed)
    features: dict[str, Any] = {"recent": [], **_named(state)}
    features["counts"] = {ACTIONS[code]: n for code, n in enumerate(state.counts) if n}
    features["last"] = {ACTIONS[code]: time for code, time in enumerate(state.last) if time}
    features["recent"] = [
        e._asdict() | {"action": ACTIONS[e.action], "price_cents": money.hundredths(e.price_cents)}
        for e in state.recent
    ]
    features["price_sum"] = money.hundredths_of(state.price_sum, state.price_rest)
    features["spent"] = money.hundredths_of(state.spent, state.spent_rest)
    features["seen"] = b64encode(np.unique(hashes(shopper.seen_items(state))).tobytes()).decode()
    for name in ("events_2", "price_rest", "spent_rest"):
        del features[name]
    return features


def catalogue_features(packed: bytes) -> dict[str, Any]:
    """A catalogue row by names, without what the model derived from it."""
    features = _named(catalogue.unpack(packed))
    features["price_cents"] = money.hundredths(features["price_cents"])
    return {name: value for name, value in features.items() if name not in catalogue.DERIVED}


def activity_features(packed: bytes, cold_windows: bytes = b"") -> dict[str, Any]:
    """An item's counters by names, its cold windows included, without the demand pipeline's decisions."""
    features = item.as_features(item_windows.merged(packed, cold_windows))
    return {name: value for name, value in features.items() if name not in _DECISIONS}


FEATURES: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "item_activity": activity_features,
    "item_catalogue": catalogue_features,
    "shopper": shopper_features,
}
#: Views whose states `FEATURES` takes, in its order.
PARTS: Final[dict[str, tuple[str, ...]]] = {
    "item_activity": ("item_activity", "item_windows"),
    "item_catalogue": ("item_catalogue",),
    "shopper": ("shopper",),
}


def write_lines(path: Path, lines: Iterable[Line]) -> int:
    """Write lines as JSON Lines; equal lines give equal bytes. Returns how many.

    Raises:
        UsageError: the file cannot be written.
    """
    encoder = msgspec.json.Encoder(order="deterministic")
    written = 0
    with output_file(path) as out:
        for line in lines:
            out.write(encoder.encode(line) + b"\n")
            written += 1
    return written


def _named(value: Any) -> Any:
    """Structs as dicts and bytes as text, all the way down."""
    if isinstance(value, Struct):
        return {name: _named(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, list):
        return [_named(element) for element in cast(list[Any], value)]
    return b64encode(value).decode() if isinstance(value, bytes) else value
