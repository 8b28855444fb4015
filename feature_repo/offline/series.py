"""What series count, folded without a worker by the same code."""

from collections.abc import Iterable

from feature_repo.basics.windows import Windows
from feature_repo.items import series_counts
from feature_repo.items.keys import with_keys
from feature_repo.items.scopes import series_key
from feature_repo.items.series_counts import SeriesCounts
from headrace.messages.internal import SeriesUpdate
from headrace.scenarios import Scenario, Series


class OfflineSeries:
    """The counts of all series so far. No window closes: what goes out is no feature."""

    def __init__(self, scenarios: Iterable[Scenario]) -> None:
        self._series = {one.series.name: one.series for one in scenarios if isinstance(one.series, Series)}
        self._counts: dict[str, SeriesCounts] = {}

    def fold(self, update: SeriesUpdate, windows: Windows) -> None:
        """Fold one update."""
        keyed = with_keys(update)
        assert isinstance(keyed, SeriesUpdate)
        series = self._series[keyed.series]
        counts = self._counts.setdefault(series_key(series.name, keyed.key), SeriesCounts(version=series.version))
        series_counts.fold(counts, keyed, windows, history=series.history, closed=0)

    def packed(self) -> dict[str, bytes]:
        """The packed rows, by their keys in the store."""
        return {key: series_counts.pack(counts) for key, counts in self._counts.items()}
