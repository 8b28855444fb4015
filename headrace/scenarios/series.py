"""Series: what a scenario counts by item, category, shop or a name, and what it makes of windows that have closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from msgspec import Struct

from headrace.messages.events import Event
from headrace.messages.outputs import OutputBase
from headrace.scenarios.scoring import Scorer

if TYPE_CHECKING:
    from headrace.settings import Settings

ITEM: Final = "item"
CATEGORY: Final = "category"
SHOP: Final = "shop"

Counts = tuple[int, ...]
"""One number for each of a series' `columns`."""


def _no_names(_: Event) -> Sequence[tuple[str, str]]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Series:
    """Something that is counted in windows of event time (`HEADRACE_WINDOW`).

    Counts are integers that are added up, so the order in which events come leaves no trace. A window of a key closes
    once, when all sources have passed it; what comes later is counted apart and changes no closed window. A key is
    looked at when it counted something in one of the last three windows, or in twelve of the last 48: then in windows
    with nothing in them too.

    Attributes:
        name: of the series, in rows and messages: lower-case letters, digits and underscores. No other scenario's.
        columns: what is counted, in order.
        counts: an event to what it adds, one number a column; None where it adds nothing. Pure.
        on_closed: what goes out when windows close, each of the type of one of the scenario's outputs and stamped with
            the end of the window. Called for one window after the other, with all of its keys that this partition owns.
            Pure but for the states and notes that it is given, which it may change in place.
        scopes: by what is counted. `category` is every category of the event's item; a category and the shop also
            count by shard of their items.
        names: further keys of an event, as pairs of kind and name: `("brand", "acme")`. Pure.
        query: a closed window to what the scorer is asked; None: nothing. It sees counts alone, never a state. Pure.
        scorer: who answers, asked once for all windows that a batch closes; None where no model is needed.
        state: a msgspec Struct whose fields all have defaults, kept for each key: what `on_closed` remembers of it.
        history: windows before the closed one that a key's row keeps.
        version: of columns and state. A row of another version is refused: `headrace rebuild` counts anew.
    """

    name: str
    columns: tuple[str, ...]
    counts: Callable[[Event], Counts | None]
    on_closed: Callable[[SeriesClosing, Settings], Iterable[OutputBase]]
    scopes: frozenset[Literal["item", "category", "shop"]] = frozenset({"item"})
    names: Callable[[Event], Iterable[tuple[str, str]]] = _no_names
    query: Callable[[SeriesWindow, Settings], Any] | None = None
    scorer: Scorer[Any] | None = None
    state: type[Struct] | None = None
    history: int = 48
    version: int = 1


@dataclass(frozen=True, slots=True)
class SeriesWindow:
    """A window of one key that is complete.

    Attributes:
        kind: `item`, `category`, `shop`, or the kind of a name.
        name: the item's id, the category, the name; None of the shop.
        start, end: event time, ms since 1970 UTC.
        counts: what was counted on time, by column.
        shards: of a category, the shop or a name: the same by shard of their items. Empty of an item.
        regular: whether the key counted something in twelve or more of the last 48 windows.
        last: whether the key is not looked at again before it counts something.
        output_id: an id for an output: a function of scenario, key and window.
    """

    kind: str
    name: str | None
    start: int
    end: int
    counts: Counts
    shards: tuple[Counts, ...]
    regular: bool
    last: bool
    output_id: str
    _number: int
    _counted: Mapping[int, Counts]
    _kept: int

    def history(self, windows: int) -> list[Counts]:
        """What was counted on time in the windows before, oldest first. [windows]

        Raises:
            ValueError: the series does not keep so many.
        """
        if windows > self._kept:
            raise ValueError(f"history of {windows} windows: the series keeps {self._kept}")
        nothing = (0,) * len(self.counts)
        return [self._counted.get(number, nothing) for number in range(self._number - windows, self._number)]


class ClosedKey(NamedTuple):
    """A key whose window has closed.

    Attributes:
        state: what `on_closed` remembers of the key, which it may change in place; None where the series has none.
        result: what the scorer made of the query, None where nothing was asked.
    """

    window: SeriesWindow
    state: Any
    result: Any


class SeriesClosing(NamedTuple):
    """All that is known when a window closes.

    Attributes:
        start, end: event time, ms since 1970 UTC.
        keys: those that are looked at, in order of key.
        watched: keys of this partition that counted something in the last 48 windows.
        notes: integers of this partition that `on_closed` may change in place: by which to calibrate, say.
    """

    start: int
    end: int
    keys: Sequence[ClosedKey]
    watched: int
    notes: list[int]


class WindowEvaluator(Protocol):
    """A series that is connected. Closed windows are `feature_repo.items.window_index.ClosedWindow`."""

    async def score(self, closed_windows: Sequence[Any], rows: Mapping[str, Any]) -> Any:
        """Ask what windows that close together need. Never raises for what a model does.

        Args:
            rows: of their keys.
        """
        ...

    def evaluate(
        self, closed_windows: Sequence[Any], rows: Mapping[str, Any], scored: Any, notes: list[int]
    ) -> Sequence[OutputBase]:
        """What goes out, each output stamped with the end of its window.

        Args:
            scored: what `score` gave for the same windows.
            notes: integers of the partition, changed in place.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class ItemSeries:
    """A series over what Headrace counts of every item, category and the shop anyway: the view `item_activity`.

    Its windows are those in which units were sold. It counts nothing of its own; there is one at most.

    Attributes:
        open: connects it to a worker's serving, its settings, and what the catalogue says of an item's categories.
    """

    name: str
    open: Callable[[Any, Settings, Callable[[str], Sequence[str]]], WindowEvaluator]
