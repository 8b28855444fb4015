"""What scenarios make of closed windows: their series connected, and the evaluation of those that are only counted."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from feature_repo.basics.windows import length_of, start_of, windows_of
from feature_repo.items import item, series_counts
from feature_repo.items.item import KEPT_WINDOWS
from feature_repo.items.scopes import SHARDS, CategoriesOf, item_of, kind_and_name
from feature_repo.items.window_index import ClosedWindow
from headrace.errors import ScenarioError, ScenarioFailed
from headrace.messages.ids import series_output_id
from headrace.messages.outputs import OutputBase
from headrace.scenarios import (
    BatchScorer,
    ClosedKey,
    ItemSeries,
    OutputTopic,
    Scenario,
    Series,
    SeriesClosing,
    SeriesWindow,
    Serving,
    WindowEvaluator,
)
from headrace.settings import Settings
from streams.operations import metrics
from streams.pipeline import batch_log
from streams.pipeline.items.counts_row import CountsRow
from streams.pipeline.items.part import ITEMS
from streams.pipeline.items.series_rows import ItemRow


class OpenSeries(NamedTuple):
    """A series of a scenario, connected.

    Attributes:
        name: of the series; `ITEMS` for the one that items have anyway.
        scenario: its name.
        topics: where outputs go, by type.
        counted: what the scenario declares; None for `ITEMS`.
    """

    name: str
    scenario: str
    evaluator: WindowEvaluator
    topics: Mapping[type[OutputBase], OutputTopic]
    counted: Series | None


class _Scored(NamedTuple):
    """The windows that closed together, in order, with what came of their queries.

    Attributes:
        failed: by start of a window: what a query raised.
    """

    windows: list[SeriesWindow]
    results: list[Any]
    failed: dict[int, ScenarioFailed]


def open_series(
    scenarios: Iterable[Scenario], serving: Serving, settings: Settings, categories_of: CategoriesOf
) -> list[OpenSeries]:
    """Connect the series of all scenarios. The one of items is always there, since items' rows need it."""
    opened: dict[str, OpenSeries] = {ITEMS: OpenSeries(ITEMS, "", _Unevaluated(settings), {}, None)}
    for scenario in scenarios:
        series = scenario.series
        topics = {topic.message: topic for topic in scenario.outputs}
        if isinstance(series, ItemSeries):
            evaluator = series.open(serving, settings, by_key(categories_of))
            opened[ITEMS] = OpenSeries(ITEMS, scenario.name, evaluator, topics, None)
        elif series is not None:
            evaluator = SeriesEvaluator(scenario, series, serving, settings)
            opened[series.name] = OpenSeries(series.name, scenario.name, evaluator, topics, series)
    return list(opened.values())


def by_key(categories_of: CategoriesOf) -> CategoriesOf:
    """The same by the key of an item, under which it is known on the item pipeline."""

    def categories_by_key(key: str) -> Sequence[str]:
        return categories_of(item_of(key))

    return categories_by_key


class _Unevaluated:
    """Items are counted where no scenario evaluates their windows, and these are not to be kept for ever."""

    def __init__(self, settings: Settings) -> None:
        self._window_ms = settings.window

    async def score(self, closed_windows: Sequence[ClosedWindow], rows: Mapping[str, ItemRow]) -> None:
        """No model is needed."""

    def evaluate(
        self, closed_windows: Sequence[ClosedWindow], rows: Mapping[str, ItemRow], scored: None, notes: list[int]
    ) -> Sequence[OutputBase]:
        """Nothing goes out."""
        for closed in closed_windows:
            activity, number = rows[closed.item_id].merged(), closed.window_start // self._window_ms
            activity.evaluated = number
            item.drop_before(activity, number + 1 - KEPT_WINDOWS)
        return []


class SeriesEvaluator:
    """Evaluates the closed windows of a series that a scenario declares."""

    def __init__(self, scenario: Scenario, series: Series, serving: Serving, settings: Settings) -> None:
        self._scenario = scenario.name
        self._series = series
        self._settings = settings
        self._windows = windows_of(settings.window, settings.timezone)
        self._outputs = tuple(topic.message for topic in scenario.outputs)
        self._scorer: BatchScorer[Any] | None = None if series.scorer is None else series.scorer.open(serving)
        self._decode = None if series.state is None else msgspec.msgpack.Decoder(series.state).decode
        self._encoder = msgspec.msgpack.Encoder(order="deterministic")

    async def score(self, closed_windows: Sequence[ClosedWindow], rows: Mapping[str, CountsRow]) -> _Scored:
        """Ask the scorer for all of the windows at once."""
        scored = _Scored([self._window(closed, rows[closed.item_id]) for closed in closed_windows], [], {})
        queries: list[Any] = []
        for closed, window in zip(closed_windows, scored.windows, strict=True):
            queries.append(self._query(closed, window, scored.failed))
        sent = [query for query in queries if query is not None] if self._scorer is not None else []
        results = iter(await self._scorer.score(sent) if sent and self._scorer is not None else ())
        scored.results.extend(next(results, None) if query is not None else None for query in queries)
        return scored

    def evaluate(
        self,
        closed_windows: Sequence[ClosedWindow],
        rows: Mapping[str, CountsRow],
        scored: _Scored,
        notes: list[int],
    ) -> Sequence[OutputBase]:
        """What goes out: nothing of a window that the scenario raises for.

        Raises:
            ScenarioError: the state of a key cannot be read.
        """
        outputs: list[OutputBase] = []
        of_each = zip(closed_windows, scored.windows, scored.results, strict=True)
        for start, grouped in groupby(of_each, key=lambda one: one[0].window_start):
            group = list(grouped)
            closed = [one for one, _, _ in group]
            keys = [ClosedKey(window, self._state(rows[one.item_id]), result) for one, window, result in group]
            first = keys[0].window
            closing = SeriesClosing(first.start, first.end, keys, closed[0].watched, list(notes))
            try:
                if start in scored.failed:
                    raise scored.failed[start]
                made, states = self._outputs_of(closing), self._packed_states(closing)
            except ScenarioFailed as failure:
                drop(failure, closing.end)
            else:
                outputs += made
                notes[:] = closing.notes
                for one, state in zip(closed, states, strict=True):
                    rows[one.item_id].counts.state = state
            self._drop_old(closed, rows)
        return outputs

    def _window(self, closed: ClosedWindow, row: CountsRow) -> SeriesWindow:
        number, counts = closed.window_start // length_of(self._windows), row.counts
        start, end = start_of(number, self._windows), start_of(number + 1, self._windows)
        kind, name = kind_and_name(closed.item_id)
        nothing = (0,) * len(self._series.columns)
        return SeriesWindow(
            kind=kind,
            name=name,
            start=start,
            end=end,
            counts=counts.windows.get(number, nothing),
            shards=() if kind == "item" else self._by_shard(counts.shards.get(number)),
            regular=closed.regular,
            last=closed.last,
            output_id=series_output_id(self._scenario, kind, name, start, end),
            _number=number,
            _counted=counts.windows,
            _kept=self._series.history,
        )

    def _by_shard(self, counted: Sequence[int] | None) -> tuple[tuple[int, ...], ...]:
        columns = len(self._series.columns)
        counted = counted or [0] * SHARDS * columns
        return tuple(tuple(counted[at : at + columns]) for at in range(0, SHARDS * columns, columns))

    def _query(self, closed: ClosedWindow, window: SeriesWindow, failed: dict[int, ScenarioFailed]) -> Any:
        if self._series.query is None or closed.window_start in failed:
            return None
        try:
            return self._series.query(window, self._settings)
        except Exception as error:
            failed[closed.window_start] = ScenarioFailed(self._scenario, "query", error)
            return None

    def _state(self, row: CountsRow) -> Any:
        if self._series.state is None or self._decode is None:
            return None
        packed = row.counts.state
        try:
            return self._decode(packed) if packed else self._series.state()
        except msgspec.DecodeError as error:
            raise ScenarioError(
                f"a state of series {self._series.name} cannot be read ({error}): give the series a new version and "
                "run `headrace rebuild`"
            ) from error

    def _outputs_of(self, closing: SeriesClosing) -> list[OutputBase]:
        try:
            outputs = list(self._series.on_closed(closing, self._settings))
            for output in outputs:
                if not isinstance(output, self._outputs):
                    raise TypeError(f"{type(output).__name__} is no output of the scenario")
                if output.timestamp != closing.end:
                    raise ValueError(f"its timestamp is {output.timestamp}, and the window ends at {closing.end}")
        except Exception as error:
            raise ScenarioFailed(self._scenario, "on_closed", error) from error
        return outputs

    def _packed_states(self, closing: SeriesClosing) -> list[bytes]:
        if self._series.state is None:
            return [b""] * len(closing.keys)
        try:
            return [self._encoder.encode(key.state) for key in closing.keys]
        except Exception as error:
            raise ScenarioFailed(self._scenario, "on_closed", error) from error

    def _drop_old(self, closed_windows: Sequence[ClosedWindow], rows: Mapping[str, CountsRow]) -> None:
        for closed in closed_windows:
            number = closed.window_start // length_of(self._windows)
            series_counts.drop_before(rows[closed.item_id].counts, number + 1 - self._series.history)


def drop(failure: ScenarioFailed, end: int) -> None:
    """Count and log a closed window of which nothing goes out."""
    metrics.SERIES_WINDOWS_DROPPED.labels(failure.scenario).inc()
    batch_log.windows_dropped(failure, end)
