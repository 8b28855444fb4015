"""Impressions and what became of them: the rows that the click head learns from."""

from collections import deque
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_repo.basics.identity import item_hash
from feature_repo.shoppers.context import context_hashes
from feature_repo.shoppers.history import write_histories
from feature_repo.shoppers.recent import Recent
from headrace.arrays import CONTEXT, HISTORY, Floats, Int32s, Ints
from headrace.messages.events import Event, EventType

#: Older impressions are forgotten: a history of 1 kB each bounds the memory that training needs.
MOST_IMPRESSIONS: Final = 200_000
#: A click without a request id belongs to what the shopper was shown within this time.
CLICK_WINDOW_MS: Final = 30 * 60_000
_MOST_RECENT_SHOWN: Final = 20


class Impressions(NamedTuple):
    """Impressions [I] with the shopper's history before each, and the items shown in them [M], in time order."""

    history_item: Ints  # [I, L]
    history_action: Int32s  # [I, L]
    history_time: Ints  # [I, L]
    now: Ints  # [I]
    context: Ints  # [I, C]
    shown_item: Ints  # [M]
    shown_in: Ints  # [M]  row of the impression
    position: Ints  # [M]
    clicked: Floats  # [M]  0 or 1
    explored: NDArray[np.bool_]  # [M]  chance alone chose to show it

    def between(self, start: int, end: int) -> "Impressions":
        """The impressions of rows `start` to `end`, renumbered."""
        shown = slice(*np.searchsorted(self.shown_in, [start, end]))
        rows = slice(start, end)
        return Impressions(
            self.history_item[rows],
            self.history_action[rows],
            self.history_time[rows],
            self.now[rows],
            self.context[rows],
            self.shown_item[shown],
            self.shown_in[shown] - start,
            self.position[shown],
            self.clicked[shown],
            self.explored[shown],
        )


class _LoggedImpression:
    """One impression: the history tensors before it, and which places were clicked."""

    __slots__ = ("clicked", "context", "event", "history")

    def __init__(self, event: Event, recent: Recent) -> None:
        self.event = event
        items, times = np.zeros(HISTORY, np.int64), np.zeros(HISTORY, np.int64)
        actions = np.zeros(HISTORY, np.int32)
        write_histories([recent], items[None], actions[None], times[None])
        self.history = (items, actions, times)
        self.context = np.zeros(CONTEXT, np.int64)
        pairs = context_hashes(event.channel, event.context)
        self.context[: len(pairs)] = pairs
        self.clicked: set[str] = set()


class ImpressionLog:
    """Collects impressions in stream order and attributes later clicks to them."""

    def __init__(self) -> None:
        self._log: deque[_LoggedImpression] = deque(maxlen=MOST_IMPRESSIONS)
        self._by_request: dict[tuple[str, str], list[_LoggedImpression]] = {}
        self._by_user: dict[str, deque[_LoggedImpression]] = {}

    def show(self, event: Event, recent: Recent) -> None:
        """Note an impression and the shopper's history before it (rule 8)."""
        shown = _LoggedImpression(event, recent)
        self._log.append(shown)
        for request in {event.request_id, event.event_id} - {None}:
            self._by_request.setdefault((event.user_id, str(request)), []).append(shown)
        self._by_user.setdefault(event.user_id, deque(maxlen=_MOST_RECENT_SHOWN)).append(shown)

    def act(self, event: Event) -> None:
        """Attribute a click, or a view that names what led to it, to the newest impression that it can come from."""
        if event.item_id is None:
            return
        if event.request_id is not None and event.type in {EventType.CLICK, EventType.VIEW}:
            led = self._by_request.get((event.user_id, event.request_id), [])
        elif event.type is EventType.CLICK:
            since = event.timestamp - CLICK_WINDOW_MS
            led = [s for s in self._by_user.get(event.user_id, ()) if s.event.timestamp >= since]
        else:
            return
        for shown in reversed(led):
            if event.item_id in (shown.event.items or ()):
                shown.clicked.add(event.item_id)
                return

    def shown_items(self) -> set[str]:
        """The ids of all items shown."""
        return {item for shown in self._log for item in shown.event.items or ()}

    def collect(self) -> Impressions:
        """All impressions as arrays, ordered by time."""
        log = sorted(self._log, key=lambda s: s.event.timestamp)
        places = [(s, row, at, item) for row, s in enumerate(log) for at, item in enumerate(s.event.items or ())]
        stack = [np.array([s.history[i] for s in log]).reshape(len(log), HISTORY) for i in range(3)]
        return Impressions(
            stack[0].astype(np.int64),
            stack[1].astype(np.int32),
            stack[2].astype(np.int64),
            now=np.array([s.event.timestamp for s in log], np.int64),
            context=np.array([s.context for s in log], np.int64).reshape(len(log), CONTEXT),
            shown_item=np.array([item_hash(item) for _, _, _, item in places], np.int64),
            shown_in=np.array([row for _, row, _, _ in places], np.int64),
            position=np.array([at for _, _, at, _ in places], np.int64),
            clicked=np.array([item in s.clicked for s, _, _, item in places], np.float32),
            explored=np.array([item in (s.event.explored or ()) for s, _, _, item in places], np.bool_),
        )
