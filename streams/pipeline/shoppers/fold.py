"""Step 3: a batch folded into rows; its queries and item updates. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from feature_repo.basics.identity import event_tie
from feature_repo.basics.windows import windows_of
from feature_repo.items.scopes import CategoriesOf
from feature_repo.shoppers.item_updates import derive_updates
from feature_repo.shoppers.shopper import ShopperState, fold
from headrace.messages.events import Event
from headrace.messages.ids import answer_id, request_answer_id
from headrace.messages.internal import Entry
from headrace.settings.model import Settings
from streams.pipeline.poison import PoisonRecord
from streams.pipeline.rows.rows import ShopperRow, SourceRow
from streams.pipeline.shoppers.decode import Accepted
from streams.serving.shopper_scorer.queries import Input, Query, Scenario


class PendingQuery(NamedTuple):
    """A query and the record that caused it."""

    accepted: Accepted
    query: Query


class Folded(NamedTuple):
    """What a batch came to, beside the rows it changed."""

    queries: list[PendingQuery]
    item_updates: list[Entry]


class BatchFold:
    """Folds the records of one batch, in the order of the log.

    Args:
        rows: the rows of all shoppers of the batch.
        categories_of: what the catalogue says of an item.
        source: the row of the `events` partition that feeds this batch; None for score requests.
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
        self._settings = settings
        self._windows = windows_of(settings.window, settings.timezone)
        self._rows = rows
        self._source = source
        self._categories_of = categories_of
        self.folded = Folded([], [])

    def fold(self, accepted: Accepted) -> None:
        """Fold or answer one record."""
        input_ = accepted.input
        row = self._rows[input_.user_id]
        try:
            if isinstance(input_, Event):
                self._fold_event(accepted, input_, row)
            else:
                self._add_queries(self._all, accepted, row.state)
        except Exception as error:
            raise PoisonRecord(accepted, error) from error

    def _fold_event(self, accepted: Accepted, event: Event, row: ShopperRow) -> None:
        origin, offset = accepted.position.origin, accepted.position.offset
        if not row.fence.enter(origin, offset):
            return
        tie = event_tie(event.event_id)
        if tie not in row.seen:
            self._add_queries(self._before, accepted, row.state)
            fold(row.state, event)
            self._add_queries(self._after, accepted, row.state)
            row.seen.add(tie)
            self._derive_updates(accepted, event)
        row.newest = max(row.newest, event.timestamp)

    def _add_queries(self, scenarios: Sequence[Scenario], accepted: Accepted, state: ShopperState) -> None:
        input_: Input = accepted.input
        for scenario in scenarios:
            if scenario.accepts(input_, self._settings):
                query = scenario.make_query(scenario, input_, _output_id(scenario, accepted), state, self._settings)
                self.folded.queries.append(PendingQuery(accepted, query))

    def _derive_updates(self, accepted: Accepted, event: Event) -> None:
        assert self._source is not None
        offset, appended = accepted.record.offset, accepted.appended_ms
        lateness = self._settings.lateness
        updates = derive_updates(
            self._source.mark, event, offset, appended, self._windows, lateness, self._categories_of
        )
        self.folded.item_updates.extend(updates)


def _output_id(scenario: Scenario, accepted: Accepted) -> str:
    input_ = accepted.input
    if isinstance(input_, Event):
        return answer_id(scenario.name, input_)
    return request_answer_id(scenario.name, str(accepted.position))
