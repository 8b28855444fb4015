"""Step 3: a partition batch folded into rows: what there is to ask, and how items' counters change. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from feature_repo.basics.identity import event_tie
from feature_repo.basics.windows import windows_of
from feature_repo.items.scopes import CategoriesOf
from feature_repo.shoppers.item_updates import derive_updates
from feature_repo.shoppers.scenario_folds import ScenarioFolds, ScenarioRow
from feature_repo.shoppers.shopper import fold
from headrace.errors import ScenarioFailed
from headrace.messages.events import Event
from headrace.messages.ids import answer_id, request_answer_id, timer_answer_id
from headrace.messages.internal import Entry
from headrace.scenarios import Scenario, Series, TimerFired
from headrace.settings import Settings
from streams.kafka.transport import PartitionBatch
from streams.pipeline.poison import PoisonRecord
from streams.pipeline.shoppers.decode import Accepted, DecodedBatch, Tick
from streams.pipeline.shoppers.rows import ShopperRow, SourceRow


class PendingQuery(NamedTuple):
    """What a scenario asks for one input.

    Attributes:
        accepted: the record whose processing led to it; for a timer that is any record of the partition.
        input: what is answered: the record's event or request, or a timer.
        output_id: a function of the input alone.
        query: as the scenario's scorer takes it.
    """

    accepted: Accepted | Tick
    scenario: Scenario
    input: Any
    output_id: str
    query: Any


class Folded(NamedTuple):
    """What a partition batch came to, beside the rows it changed.

    Attributes:
        failures: of scenarios for their timers, which have no record to blame.
    """

    queries: list[PendingQuery]
    item_updates: list[Entry]
    failures: list[ScenarioFailed]


class BatchFold:
    """Folds the records of one partition batch, in the order of the log.

    Args:
        rows: the rows of all shoppers of the batch, and of those whose timers may come up in it.
        source: the row of the `events` partition that feeds the batch; None for requests.
        categories_of: what the catalogue says of an item.
    """

    def __init__(
        self,
        scenarios: Sequence[Scenario],
        settings: Settings,
        rows: Mapping[str, ShopperRow],
        source: SourceRow | None,
        categories_of: CategoriesOf,
    ) -> None:
        self._before = [scenario for scenario in scenarios if scenario.before_fold]
        self._after = [scenario for scenario in scenarios if not scenario.before_fold]
        self._all = scenarios
        self._counting = [scenario for scenario in scenarios if isinstance(scenario.series, Series)]
        self._settings = settings
        self._windows = windows_of(settings.window, settings.timezone)
        self._rows = rows
        self._source = source
        self._categories_of = categories_of
        self._current: Accepted | Tick = Tick(-1, -1)
        self.folded = Folded([], [], [])
        self._scenario_folds: ScenarioFolds | None = None
        if source is not None and (len(source.timers) or any(scenario.views for scenario in scenarios)):
            self._scenario_folds = ScenarioFolds(scenarios, source.timers, self._ask_for_timer, self._note_failure)

    def fold_all(self, decoded: DecodedBatch) -> Folded:
        """Fold or answer every record.

        Raises:
            PoisonRecord: a pure step raised on one.
        """
        ticks = iter(decoded.ticks)
        tick = next(ticks, None)
        for accepted in decoded.accepted:
            while tick is not None and tick.offset < accepted.record.offset:
                self._pass_time(tick)
                tick = next(ticks, None)
            self.fold(accepted)
        while tick is not None:
            self._pass_time(tick)
            tick = next(ticks, None)
        return self.folded

    def fold(self, accepted: Accepted) -> None:
        """Fold or answer one record."""
        self._current, input_ = accepted, accepted.input
        row = self._rows[input_.user_id]
        try:
            if isinstance(input_, Event):
                self._fold_event(accepted, input_, row)
            else:
                self._add_queries(self._all, accepted, row)
        except Exception as error:
            raise PoisonRecord(accepted, error) from error

    def _fold_event(self, accepted: Accepted, event: Event, row: ShopperRow) -> None:
        origin, offset = accepted.position.origin, accepted.position.offset
        if not row.fence.enter(origin, offset):
            return
        tie = event_tie(event.event_id)
        if tie not in row.seen:
            own = self._scenario_folds
            if own is not None:
                own.fire_before(row, event.timestamp)
            self._add_queries(self._before, accepted, row)
            fold(row.shopper, event)
            if own is not None:
                own.fold(row, event)
            self._add_queries(self._after, accepted, row)
            row.seen.add(tie)
            self._derive_updates(accepted, event)
            if own is not None:
                own.advance(self._source_clock(), self._rows)
        row.newest = max(row.newest, event.timestamp)

    def _add_queries(self, scenarios: Sequence[Scenario], accepted: Accepted, row: ShopperRow) -> None:
        input_, settings = accepted.input, self._settings
        for scenario in scenarios:
            try:
                if scenario.answers(input_, settings):
                    query = scenario.query(input_, row, settings)
                    output_id = _output_id(scenario, accepted)
                    self.folded.queries.append(PendingQuery(accepted, scenario, input_, output_id, query))
            except Exception as error:
                raise ScenarioFailed(scenario.name, "query", error) from error

    def _derive_updates(self, accepted: Accepted, event: Event) -> None:
        assert self._source is not None
        offset, appended = accepted.record.offset, accepted.appended_ms
        lateness = self._settings.lateness
        updates = derive_updates(
            self._source.mark, event, offset, appended, self._windows, lateness, self._categories_of, self._counting
        )
        self.folded.item_updates.extend(updates)

    def _source_clock(self) -> int:
        """How far event time has come for timers: as far as for windows."""
        assert self._source is not None
        return self._source.mark.second - self._settings.lateness

    def _pass_time(self, tick: Tick) -> None:
        self._current = tick
        if self._scenario_folds is not None:
            self._scenario_folds.advance(tick.time - self._settings.lateness, self._rows)

    def _ask_for_timer(self, scenario: Scenario, fired: TimerFired, row: ScenarioRow) -> None:
        if scenario.answers(fired, self._settings):
            output_id = timer_answer_id(scenario.name, fired.user_id, fired.name, fired.timestamp)
            query = scenario.query(fired, row, self._settings)
            self.folded.queries.append(PendingQuery(self._current, scenario, fired, output_id, query))

    def _note_failure(self, failure: ScenarioFailed, _: TimerFired) -> None:
        self.folded.failures.append(failure)


def is_folded(batch: PartitionBatch, requests: Mapping[str, object]) -> bool:
    """Whether records leave something behind: requests are answered, and do not."""
    return batch.topic not in requests


def not_folded_yet(batch: PartitionBatch, decoded: DecodedBatch, source: SourceRow | None) -> DecodedBatch:
    """What of a batch is new to its source, since all rows of a batch are written at once, its source's among them."""
    if source is None:
        return decoded
    origin = f"{batch.topic}/{batch.partition}"
    if not source.fence.passed(origin, batch.first_offset):
        return decoded
    done = {record.offset for record in batch.records if source.fence.passed(origin, record.offset)}
    return decoded._replace(
        accepted=[one for one in decoded.accepted if one.record.offset not in done],
        rejected=[one for one in decoded.rejected if one.record.offset not in done],
        misrouted=[one for one in decoded.misrouted if one.record.offset not in done],
        ticks=[one for one in decoded.ticks if one.offset not in done],
    )


def latest_time(decoded: DecodedBatch, settings: Settings) -> int:
    """How far a batch can bring the clock of its partition's timers, ms; -1 where it holds nothing."""
    events = (min(one.input.timestamp, one.appended_ms) for one in decoded.accepted if isinstance(one.input, Event))
    return max(max(events, default=-1), max((tick.time for tick in decoded.ticks), default=-1)) - settings.lateness


def _output_id(scenario: Scenario, accepted: Accepted) -> str:
    input_ = accepted.input
    if isinstance(input_, Event):
        return answer_id(scenario.name, input_)
    return request_answer_id(scenario.name, str(accepted.position))
