"""Rows of the item pipeline, read and written: those in hand, and the window indexes of its partitions."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final, NamedTuple, TypeVar

from feature_repo.items.scopes import series_of
from feature_repo.store.row_store import PERSIST, Kind, RowStore, SerialisedRows, StoredRow
from headrace.scenarios import Series
from streams.kafka.transport import PartitionBatch
from streams.pipeline.items.cooperative_yield import CooperativeYield
from streams.pipeline.items.counts_row import CountsRow
from streams.pipeline.items.delisted import DelistedRows
from streams.pipeline.items.part import Part
from streams.pipeline.items.series_rows import ItemRow, WindowIndexRow, kind_of, stored_key
from streams.pipeline.rows.cache import RowCache
from streams.pipeline.rows.continuity import Continuity
from streams.pipeline.rows.keys import index_key

_SLICE: Final = 128
"""Rows unpacked or packed in one go, a millisecond or two."""
T = TypeVar("T")
Row = ItemRow | CountsRow


class PartitionIndexes(NamedTuple):
    """The window indexes of a partition.

    Attributes:
        items: written with every batch: its fence says what is folded, and it has the sources' watermarks.
        series: by name.
    """

    items: WindowIndexRow
    series: Mapping[str, WindowIndexRow]


class SeriesRows:
    """Reads and writes rows, and keeps those used last.

    Args:
        series: those that are counted; rows of others are left alone.
    """

    def __init__(
        self,
        store: RowStore,
        cache: RowCache[Row],
        continuity: Continuity,
        delisted_rows: DelistedRows,
        cooperative_yield: CooperativeYield,
        series: Iterable[Series] = (),
    ) -> None:
        self._store = store
        self._cache = cache
        self._continuity = continuity
        self._delisted_rows = delisted_rows
        self._cooperative_yield = cooperative_yield
        self.series = {one.name: one for one in series}
        self.indexes: dict[int, PartitionIndexes] = {}

    def invalidate(self) -> None:
        """Drop what is kept."""
        self._cache.clear()
        self.indexes.clear()

    async def read_indexes(self, batches: Sequence[PartitionBatch]) -> None:
        """Have the window indexes of these partitions in hand.

        Raises:
            StoreError, RowsLost: as the shopper pipeline.
        """
        missing = [batch.partition for batch in batches if batch.partition not in self.indexes]
        names = ["", *self.series]
        keys = [index_key(partition, name) for partition in missing for name in names]
        stored = iter(await self._store.read(Kind.SHARD, keys))
        for partition in missing:
            items, *others = [WindowIndexRow(partition, next(stored), name) for name in names]
            self.indexes[partition] = PartitionIndexes(items, dict(zip(self.series, others, strict=True)))
            self._continuity.verify(items.key, items.fence)

    async def read(self, keys: set[str]) -> dict[str, Row]:
        """The rows of these keys.

        Raises:
            StoreError, RowsLost: as the shopper pipeline.
            ScenarioError: another version of a series wrote one.
        """
        rows = self._cache.take(keys)
        for kind, of_kind in groupby(sorted(keys - rows.keys(), key=kind_of), key=kind_of):
            for ids in slices(list(of_kind)):
                stored = await self._store.read(kind, list(map(stored_key, ids)))
                rows |= {key: self._row(key, row) for key, row in zip(ids, stored, strict=True)}
        return rows

    async def write(self, parts: Sequence[Part], rows: Mapping[str, Row], on_written: Callable[[Part], None]) -> None:
        """Write each partition's rows, in a call of its own: the store answers nobody else meanwhile.

        Args:
            on_written: called for each part that is written, though others may not be.

        Raises:
            FencedOut, StoreError, RowsLost: as the shopper pipeline.
        """
        ttls = self._delisted_rows.ttls(rows)
        await self._write(parts, rows, ttls, on_written)
        # Those that are to go hardly come again, and what has gone meanwhile is not to be in memory.
        self._cache.put({key: row for key, row in rows.items() if ttls.get(key, 0) <= PERSIST})

    async def merge_cold_windows(self, rows: Iterable[Row]) -> None:
        """Have all windows of rows in hand, a few rows at a time."""
        for some in slices([row for row in rows if isinstance(row, ItemRow)]):
            for row in some:
                row.merged()
            await self._cooperative_yield.yield_if_due()

    async def yield_if_due(self) -> None:
        """Between two pieces of work: let others on the thread go on, if it is time."""
        await self._cooperative_yield.yield_if_due()

    def _row(self, key: str, stored: StoredRow) -> Row:
        found = series_of(key)
        return ItemRow(key, stored) if found is None else CountsRow(key, stored, self.series[found[0]])

    async def _write(
        self,
        parts: Sequence[Part],
        rows: Mapping[str, Row],
        ttls: Mapping[str, int],
        on_written: Callable[[Part], None],
    ) -> None:
        writing: list[asyncio.Task[None]] = []
        try:
            for part in parts:  # one is packed while the one before is written
                serialised = await self._serialised(part, rows, ttls)
                writing.append(asyncio.create_task(self._store.write_serialised(serialised)))
        finally:  # a batch that is processed again must find no write in flight
            done = await asyncio.gather(*writing, return_exceptions=True)
        for part, error in zip(parts, done, strict=True):
            if error is None:
                on_written(part)
                self._continuity.mark_written(part.topic, part.partition, part.last_offset)
        if failed := [error for error in done if error is not None]:
            raise failed[0]

    async def _serialised(self, part: Part, rows: Mapping[str, Row], ttls: Mapping[str, int]) -> list[SerialisedRows]:
        """The rows of a partition as they are to be written, its own last."""
        serialised: list[SerialisedRows] = []
        for some in slices(list(part.keys)):
            writes = (rows[key].to_write(part.origin, part.last_offset, ttls.get(key, 0)) for key in some)
            serialised.append(self._store.serialise(writes))
            await self._cooperative_yield.yield_if_due()
        indexes = [part.index, *(index for index in part.series.values() if index.changed)]
        own = self._store.serialise([index.to_write(part.origin, part.last_offset) for index in indexes])
        return [*serialised, own]


def slices(whole: list[T]) -> Iterator[list[T]]:
    """Cut what would hold up the shopper pipeline: between two slices its batches go on."""
    return (whole[at : at + _SLICE] for at in range(0, len(whole), _SLICE))
