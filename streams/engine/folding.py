"""Step 3: a chunk folded into rows; what there is to ask, and what to tell the items' road. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from feature_repo.deltas import tell
from feature_repo.identity import event_tie
from feature_repo.scopes import CategoriesOf
from feature_repo.shopper import ShopperState, fold
from feature_repo.windows import windows_of
from streams.engine.intake import Taken
from streams.engine.poison import Poisoned
from streams.engine.questions import Caused, Question, Scenario
from streams.engine.rows import ShopperRow, SourceRow
from streams.messages.events import Event
from streams.messages.ids import answer_id, request_answer_id
from streams.messages.internal import Entry
from streams.settings import Settings


class Asked(NamedTuple):
    """A question and the record that caused it."""

    taken: Taken
    question: Question


class Folded(NamedTuple):
    """What a chunk came to, beside the rows it changed."""

    asked: list[Asked]
    told: list[Entry]


class ChunkFold:
    """Folds the records of one chunk, in the order of the log.

    Args:
        rows: the rows of all shoppers of the chunk.
        categories_of: what the catalogue says of an item.
        source: the row of the `events` partition that feeds this chunk; None for score requests.
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

    def take(self, taken: Taken) -> None:
        """Fold or answer one record."""
        cause = taken.cause
        row = self._rows[cause.user_id]
        try:
            if isinstance(cause, Event):
                self._take_event(taken, cause, row)
            else:
                self._ask(self._all, taken, row.state)
        except Exception as error:
            raise Poisoned(taken, error) from error

    def _take_event(self, taken: Taken, event: Event, row: ShopperRow) -> None:
        origin, offset = taken.place.origin, taken.place.offset
        if not row.fence.enter(origin, offset):
            return
        tie = event_tie(event.event_id)
        if tie not in row.seen:
            self._ask(self._before, taken, row.state)
            fold(row.state, event)
            self._ask(self._after, taken, row.state)
            row.seen.add(tie)
            self._tell(taken, event)
        row.newest = max(row.newest, event.timestamp)

    def _ask(self, scenarios: Sequence[Scenario], taken: Taken, state: ShopperState) -> None:
        cause: Caused = taken.cause
        for scenario in scenarios:
            if scenario.wants(cause, self._settings):
                question = scenario.ask(scenario, cause, _output_id(scenario, taken), state, self._settings)
                self.folded.asked.append(Asked(taken, question))

    def _tell(self, taken: Taken, event: Event) -> None:
        assert self._source is not None
        offset, appended = taken.record.offset, taken.appended_ms
        lateness = self._settings.lateness
        told = tell(self._source.mark, event, offset, appended, self._windows, lateness, self._categories_of)
        self.folded.told.extend(told)


def _output_id(scenario: Scenario, taken: Taken) -> str:
    cause = taken.cause
    if isinstance(cause, Event):
        return answer_id(scenario.name, cause)
    return request_answer_id(scenario.name, str(taken.place))
