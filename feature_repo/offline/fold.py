"""A recorded stream folded without a worker: the folds, and the rules about rows, are those of the online pipeline."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from feature_repo.basics.fences import SeenIds
from feature_repo.basics.identity import event_tie
from feature_repo.basics.windows import end_of_stream, windows_of
from feature_repo.items import catalogue, item
from feature_repo.items.catalogue import CatalogueItem
from feature_repo.items.item import ItemActivity
from feature_repo.offline.scenarios import OfflineScenarios
from feature_repo.offline.series import OfflineSeries
from feature_repo.shoppers import shopper
from feature_repo.shoppers.item_updates import derive_updates
from feature_repo.shoppers.shopper import ShopperState
from feature_repo.shoppers.watermark import SourceWatermark
from feature_repo.store.dump import Rows
from headrace.errors import BadRecord
from headrace.messages.decoding import decode_event, decode_item
from headrace.messages.events import Event
from headrace.messages.internal import ItemImpression, ItemUpdate, SeriesUpdate, Watermark
from headrace.messages.items import Item
from headrace.partitioning import partition_of
from headrace.recording.reading import Record
from headrace.scenarios import Series
from headrace.scenarios.registry import installed
from headrace.settings.model import Settings
from headrace.topics import Topic


class Changed(NamedTuple):
    """A row that a record has changed.

    Attributes:
        time: newest event time folded into it, ms: the moment from which the row could be known.
    """

    view: str
    key: str
    time: int


class StreamFold:
    """Rows as they stand after the records taken so far.

    Args:
        settings: partitions, window and lateness must be those of the worker it is compared with.
        arrived_ms: stands for the records' append time, which a recording does not hold.
    """

    def __init__(self, settings: Settings, arrived_ms: int) -> None:
        self._settings = settings
        self._arrived_ms = arrived_ms
        self._shoppers: dict[str, ShopperState] = {}
        self._seen: dict[str, SeenIds] = {}
        self._catalogue: dict[str, CatalogueItem] = {}
        self._activity: dict[str, ItemActivity] = {}
        self._marks = [SourceWatermark() for _ in range(settings.partitions)]
        self._scenarios = OfflineScenarios(installed(settings.scenarios), settings.partitions)
        self._counting = [one for one in installed(settings.scenarios).scenarios if isinstance(one.series, Series)]
        self._series = OfflineSeries(self._counting)
        self._last_event = -1
        self.rejected = 0

    def fold(self, record: Record) -> list[Changed]:
        """Fold one record and name the rows it changed; what breaks the contract changes none.

        Records of other topics than `events` and `items` hold no features.
        """
        try:
            if record.topic == Topic.EVENTS:
                event = decode_event(record.value, appended_ms=self._arrived_ms, settings=self._settings)
                return self._fold_event(event)
            if record.topic == Topic.ITEMS:
                return self._fold_item(record)
        except BadRecord:
            self.rejected += 1
        return []

    def packed(self, view: str, key: str) -> bytes:
        """A row's state as the online store would hold it."""
        match view:
            case "shopper":
                return shopper.pack(self._shoppers[key])
            case "item_catalogue":
                return catalogue.pack(self._catalogue[key])
            case _:
                return item.pack(self._activity[key])

    def rows(self) -> Rows:
        """All rows, packed."""
        return Rows(
            item_activity={key: item.pack(state) for key, state in self._activity.items()},
            item_catalogue={key: catalogue.pack(state) for key, state in self._catalogue.items()},
            shopper={key: shopper.pack(state) for key, state in self._shoppers.items()},
            scenario_views=self._scenarios.packed(),
            series=self._series.packed(),
        )

    def end(self) -> None:
        """Let time pass to where `headrace replay --wait` lets it pass at the end of a stream."""
        if self._last_event >= 0:
            windows, lateness = windows_of(self._settings.window, self._settings.timezone), self._settings.lateness
            self._scenarios.advance_all(end_of_stream(self._last_event, windows, lateness) - lateness)

    def _fold_event(self, event: Event) -> list[Changed]:
        user_id = event.user_id
        seen = self._seen.setdefault(user_id, SeenIds())
        tie = event_tie(event.event_id)
        if tie in seen:
            return []
        seen.add(tie)
        state = self._shoppers.setdefault(user_id, ShopperState())
        partition = partition_of(user_id, self._settings.partitions)
        self._scenarios.fire_before(event, state, partition)
        shopper.fold(state, event)
        self._scenarios.fold(event, state, partition)
        changed = self._fold_updates(event)
        self._scenarios.advance(partition, self._marks[partition].second - self._settings.lateness)
        self._last_event = max(self._last_event, event.timestamp)
        return [Changed("shopper", user_id, max(state.last)), *changed]

    def _fold_updates(self, event: Event) -> list[Changed]:
        windows, lateness = windows_of(self._settings.window, self._settings.timezone), self._settings.lateness
        mark = self._marks[partition_of(event.user_id, self._settings.partitions)]
        changed: list[Changed] = []
        updates = derive_updates(
            mark, event, 0, self._arrived_ms, windows, lateness, self._categories_of, self._counting
        )
        for entry in updates:
            if isinstance(entry, SeriesUpdate):
                self._series.fold(entry, windows)
                continue
            if isinstance(entry, Watermark) or (isinstance(entry, ItemUpdate) and entry.shard >= 0):
                continue  # what counts for a category and the shop is no feature of an item
            for item_id in entry.items if isinstance(entry, ItemImpression) else (entry.item_id,):
                state = self._activity.setdefault(item_id, ItemActivity())
                if isinstance(entry, ItemImpression):
                    item.fold_impression(state, entry.timestamp, windows)
                else:
                    item.fold(state, entry, windows)
                changed.append(Changed("item_activity", item_id, state.newest))
        return changed

    def _categories_of(self, item_id: str) -> Sequence[str]:
        state = self._catalogue.get(item_id)
        return () if state is None else state.categories

    def _fold_item(self, record: Record) -> list[Changed]:
        key = None if record.key is None else record.key.encode("utf-8", "surrogateescape")
        found = decode_item(key, record.value, appended_ms=self._arrived_ms, settings=self._settings)
        state = catalogue.from_item(found) if isinstance(found, Item) else catalogue.withdrawn()
        self._catalogue[found.item_id] = state
        return [Changed("item_catalogue", found.item_id, max(state.timestamp, record.timestamp))]


def fold_stream(records: Iterable[Record], settings: Settings, arrived_ms: int) -> Rows:
    """The rows that a worker's store holds after a stream, in the order given."""
    fold = StreamFold(settings, arrived_ms)
    for record in records:
        fold.fold(record)
    fold.end()
    return fold.rows()
