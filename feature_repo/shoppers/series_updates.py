"""What a shopper's event adds to the series that scenarios declare. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from feature_repo.items.scopes import CategoriesOf, keys_of, shard_of
from headrace.errors import ScenarioFailed
from headrace.messages.events import MOST, Event
from headrace.messages.internal import SeriesUpdate
from headrace.scenarios.declaration import Scenario
from headrace.scenarios.series import ITEM, Counts, Series

_ADDED_AT_MOST: Final = MOST
"""What one event adds to a column, up or down: far more is a mistake."""


def series_updates(
    scenarios: Sequence[Scenario], event: Event, offset: int, late: bool, categories_of: CategoriesOf
) -> Iterator[SeriesUpdate]:
    """The updates of the series of all scenarios, in their order.

    Args:
        late: whether the event's source had already passed the window.

    Raises:
        ScenarioFailed: a function of a series raised, or what it gave is nothing that can be counted.
    """
    for scenario in scenarios:
        series = scenario.series
        if not isinstance(series, Series):
            continue
        try:
            counts = series.counts(event)
            if counts is None:
                continue
            _check(series, counts)
            names = list(series.names(event))
            keys = keys_of(event.item_id, series.scopes, names, categories_of)
        except Exception as error:
            raise ScenarioFailed(scenario.name, "counts", error) from error
        if event.item_id is not None and ITEM in series.scopes:
            yield SeriesUpdate(offset, series.name, event.item_id, event.timestamp, counts, late)
        shard = shard_of(event.item_id or event.user_id) if keys else -1
        for key in keys:
            yield SeriesUpdate(offset, series.name, key, event.timestamp, counts, late, shard)


def _check(series: Series, counts: Counts) -> None:
    if len(counts) != len(series.columns):
        raise ValueError(f"{len(counts)} counts for {len(series.columns)} columns")
    for count in counts:
        if type(count) is not int or abs(count) > _ADDED_AT_MOST:
            raise ValueError(f"{count!r} is no integer of at most {_ADDED_AT_MOST} up or down")
