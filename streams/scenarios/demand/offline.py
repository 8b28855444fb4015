"""The items' road for demand without servers: one partition, rows in memory. For evaluation, benchmarks and tests."""

from collections import defaultdict
from collections.abc import Callable, Iterable

from feature_repo import demand_index, item
from feature_repo.demand_index import Closing, DemandIndex
from feature_repo.item import ItemActivity
from feature_repo.scopes import CategoriesOf, item_of
from streams.engine.item_keys import with_keys
from streams.messages.internal import Entry, ItemDelta, Shown
from streams.messages.outputs import DemandAlert, DemandForecast, ModelRef
from streams.messages.wire import DEMAND_MODEL, DemandAnswer, DemandTensors
from streams.scenarios.demand.conclude import conclude
from streams.scenarios.demand.queries import queries
from streams.scenarios.demand.rules import DemandRules

Forecaster = Callable[[DemandTensors], DemandAnswer]


class OfflineDemand:
    """Takes what sources have to say, as the served road does chunk by chunk.

    Attributes:
        activities: the items' rows.
        index: the partition's row.
        closed: closings so far.
        kept: of the items' forecasts, what later closings need.
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
        self.index = DemandIndex()
        self.closed = 0
        self.kept: dict[str, bytes] = {}

    def take(self, source: int, entries: Iterable[Entry]) -> list[DemandForecast | DemandAlert]:
        """Take one chunk; what its closings give out."""
        closings: list[Closing] = []
        for entry in map(with_keys, entries):
            if isinstance(entry, ItemDelta):
                demand_index.observe(self.index, source, entry, self._rules.windows)
                item.fold(self.activities[entry.item_id], entry, self._rules.windows)
            elif isinstance(entry, Shown):
                demand_index.hear(self.index, source)
                for item_id in entry.items:
                    item.fold_shown(self.activities[item_id], entry.timestamp, self._rules.windows)
            else:
                closings += demand_index.advance(
                    self.index,
                    source,
                    entry,
                    sources=self._sources,
                    windows=self._rules.windows,
                    lateness_ms=self._lateness_ms,
                )
        return self._conclude(closings)

    def _conclude(self, closings: list[Closing]) -> list[DemandForecast | DemandAlert]:
        self.closed += len(closings)
        asked = queries(closings, self.activities, self._categories_of, self._rules.window_ms, self.kept)
        answer = None if asked.tensors is None else self._forecaster(asked.tensors)
        model = ModelRef(DEMAND_MODEL, "offline")
        return conclude(
            closings,
            self.activities,
            asked,
            answer,
            self.kept,
            self.index.surprises,
            self._categories_of,
            model=model,
            fallback=self._fallback,
            rules=self._rules,
        )
