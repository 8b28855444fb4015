"""The item pipeline for demand without servers: one partition, rows in memory. For evaluation, benchmarks and tests."""

from collections import defaultdict
from collections.abc import Callable, Iterable

from feature_repo.items import item, window_index
from feature_repo.items.item import ItemActivity
from feature_repo.items.keys import with_keys
from feature_repo.items.scopes import CategoriesOf, item_of
from feature_repo.items.window_index import ClosedWindow, WindowIndex
from headrace.arrays import DEMAND_MODEL, DemandAnswer, DemandTensors
from headrace.messages.internal import Entry, ItemImpression, ItemUpdate, Watermark
from headrace.messages.outputs import DemandAlert, DemandForecast, ModelRef
from streams.scenarios.demand.evaluate import evaluate_windows
from streams.scenarios.demand.forecasting.queries import queries
from streams.scenarios.demand.rules import DemandRules

Forecaster = Callable[[DemandTensors], DemandAnswer]


class OfflineDemand:
    """Takes what sources have to say, as the served pipeline does batch by batch.

    Attributes:
        activities: the items' rows.
        index: the partition's row.
        closed_windows: so far.
        cached: of the items' forecasts, what later closed windows need.
    """

    def __init__(
        self,
        forecaster: Forecaster,
        *,
        sources: int,
        rules: DemandRules,
        lateness_ms: int,
        fallback: str | None = None,
        categories_of: CategoriesOf = lambda _: (),
    ) -> None:
        self._forecaster = forecaster
        self._sources = sources
        self._fallback = fallback
        self._categories_of: CategoriesOf = lambda key: categories_of(item_of(key))
        self._rules = rules
        self._lateness_ms = lateness_ms
        self.activities: defaultdict[str, ItemActivity] = defaultdict(ItemActivity)
        self.index = WindowIndex()
        self.closed_windows = 0
        self.cached: dict[str, bytes] = {}

    def fold(self, source: int, entries: Iterable[Entry]) -> list[DemandForecast | DemandAlert]:
        """Take one batch; what its closed windows give out."""
        closed_windows: list[ClosedWindow] = []
        for entry in map(with_keys, entries):
            if isinstance(entry, ItemUpdate):
                window_index.observe(self.index, source, entry, self._rules.windows)
                item.fold(self.activities[entry.item_id], entry, self._rules.windows)
            elif isinstance(entry, ItemImpression):
                window_index.mark_active(self.index, source)
                for item_id in entry.items:
                    item.fold_impression(self.activities[item_id], entry.timestamp, self._rules.windows)
            elif isinstance(entry, Watermark):
                closed_windows += window_index.advance(
                    self.index,
                    source,
                    entry,
                    sources=self._sources,
                    windows=self._rules.windows,
                    lateness_ms=self._lateness_ms,
                )
        return self._evaluate_windows(closed_windows)

    def _evaluate_windows(self, closed_windows: list[ClosedWindow]) -> list[DemandForecast | DemandAlert]:
        self.closed_windows += len(closed_windows)
        made = queries(closed_windows, self.activities, self._categories_of, self._rules.window_ms, self.cached)
        result = None if made.tensors is None else self._forecaster(made.tensors)
        model = ModelRef(DEMAND_MODEL, "offline")
        return evaluate_windows(
            closed_windows,
            self.activities,
            made,
            result,
            self.cached,
            self.index.score_counts,
            self._categories_of,
            model=model,
            fallback=self._fallback,
            rules=self._rules,
        )
