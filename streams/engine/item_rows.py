"""The road of `items`: the owner of a partition keeps its items' rows, with a text vector for the served version."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from feature_repo import catalogue as catalogue_rows
from feature_repo.fences import Fence
from feature_repo.row_store import FOR_GOOD, Kind, RowStore, RowWrite, StoredRow
from feature_repo.scopes import item_key
from streams.engine import logbook, metrics
from streams.engine.append_order import NEVER, append_order, is_later, lie_apart
from streams.engine.continuity import Continuity
from streams.engine.demand_rows import DemandRow
from streams.engine.intake import Place, Refused
from streams.engine.new_items import NewItems, Vector
from streams.engine.outbox import Outbox, Producer
from streams.engine.row_cache import RowCache
from streams.engine.rows import catalogue_key, index_key
from streams.errors import BadRecord, ModelUnavailable
from streams.messages.decoding import decode_item
from streams.messages.items import Item, Withdrawn
from streams.settings import Settings
from streams.topics import Topic
from streams.transport import RecordChunk

logger = logging.getLogger(__name__)

_ROAD = "item_rows"
_SHOWN: Final = 5


class _Listed(NamedTuple):
    item: Item | Withdrawn
    offset: int
    timestamp: int
    order: int

    def is_newest(self, row: StoredRow) -> bool:
        """Whether no other partition has a later record of the item."""
        return is_later(self.order, Fence(row.fence).at(Topic.ITEMS))


class ItemRowsRoad:
    """Takes chunks of `items` into the items' rows. The catalogue in memory follows the topic on its own."""

    def __init__(
        self,
        settings: Settings,
        partitions: int,
        store: RowStore,
        producer: Producer,
        new_items: NewItems,
        cache: RowCache[DemandRow],
        continuity: Continuity,
    ) -> None:
        self._cache = cache
        self._continuity = continuity
        self._settings = settings
        self._partitions = partitions
        self._store = store
        self._producer = producer
        self._new_items = new_items

    async def travel(self, chunk: RecordChunk) -> None:
        """Take one chunk of the catalogue down the road.

        Raises:
            FencedOut, StoreError, RowsLost: as the shoppers' road.
        """
        partition = await self._read_partition(chunk.partition)
        listed, refused = self._decode(chunk)
        stored = await self._store.read(Kind.ITEM, list(listed))
        origin = f"{chunk.topic}/{chunk.partition}"
        fresh = {
            item_id: (listed[item_id], row)
            for item_id, row in zip(listed, stored, strict=True)
            if not Fence(row.fence).passed(origin, listed[item_id].offset)
        }
        outbox = Outbox(self._settings, self._partitions)
        for bad in refused:
            outbox.dead_letter(*bad)
            metrics.DEAD_LETTERS.labels(bad.why.reason).inc()
        await self._producer.send(outbox)
        logbook.dead_letters(refused)
        await self._note_withdrawals(fresh)
        newest = {item_id: (one, row) for item_id, (one, row) in fresh.items() if one.is_newest(row)}
        vectors = await self._vectors([one.item for one, _ in newest.values()])
        self._cache.take(map(item_key, newest))  # the same rows, whose fences move now: they are to be read again
        rows = [_write(origin, one, row, vectors) for one, row in newest.values()]
        await self._store.write([*rows, _write_partition(chunk, partition)])
        self._continuity.written(chunk.topic, chunk.partition, chunk.last_offset)
        metrics.EVENTS.labels(chunk.topic, "taken").inc(len(fresh))

    async def _read_partition(self, partition: int) -> StoredRow:
        """The row that says how far `items` is folded; beside it that of the deltas, which write the same rows."""
        keys = [catalogue_key(partition), index_key(partition)]
        stored = await self._store.read(Kind.SHARD, keys)
        for key, row in zip(keys, stored, strict=True):
            self._continuity.verify(key, Fence(row.fence))
        return stored[0]

    def _decode(self, chunk: RecordChunk) -> tuple[dict[str, _Listed], list[Refused]]:
        """The newest good record of each item in the chunk, and what is no item."""
        listed: dict[str, _Listed] = {}
        refused: list[Refused] = []
        for record in chunk.records:
            try:
                item = decode_item(record.key, record.value, appended_ms=record.timestamp, settings=self._settings)
            except BadRecord as bad:
                refused.append(Refused(record, Place(record.topic, record.partition, record.offset), bad))
                continue
            order = append_order(record.timestamp, record.partition)
            listed[item.item_id] = _Listed(item, record.offset, record.timestamp, order)
        return listed, refused

    async def _note_withdrawals(self, fresh: Mapping[str, tuple[_Listed, StoredRow]]) -> None:
        """Kafka forgets a withdrawal after a day. A record of the item that lies in another partition it keeps."""
        withdrawn: dict[str, int] = {}
        back: list[str] = []
        for item_id, (one, row) in fresh.items():
            known = Fence(row.fence).at(Topic.ITEMS)
            if known == NEVER or not lie_apart(one.order, known):
                continue
            was_withdrawn = catalogue_rows.unpack(row.states[0]).withdrawn
            if one.is_newest(row) and isinstance(one.item, Withdrawn):
                withdrawn[item_id] = one.order
            elif one.is_newest(row) and was_withdrawn:
                back.append(item_id)
            elif was_withdrawn and not one.is_newest(row):
                withdrawn[item_id] = known
        if withdrawn or back:
            logger.warning(
                "items lie in two partitions, for their producers partition differently: the later append counts",
                extra={"count": len(withdrawn) + len(back), "items": [*withdrawn, *back][:_SHOWN]},
            )
            await self._store.note_withdrawn(withdrawn, back)

    async def _vectors(self, items: Sequence[Item | Withdrawn]) -> dict[str, Vector]:
        texts = {
            i.item_id: catalogue_rows.item_text(i.title, i.description, i.brand, i.categories)
            for i in items
            if isinstance(i, Item)
        }
        try:
            return await self._new_items.vectors_of_unknown(texts)
        except ModelUnavailable:
            return {}  # whoever needs the vector later computes it (`NewItems`)


def _write(origin: str, one: _Listed, row: StoredRow, vectors: Mapping[str, Vector]) -> RowWrite:
    fence = Fence(row.fence)
    fence.advance(origin, one.offset)
    fence.advance(Topic.ITEMS, one.order)
    return RowWrite(
        kind=Kind.ITEM,
        key=one.item.item_id,
        expected=row.fence,
        fence=fence.pack(),
        seen=row.seen,
        states=(_state(one, vectors), None, None),
        timestamp=one.timestamp,
        lasts=0 if row.states[0] else FOR_GOOD,
    )


def _write_partition(chunk: RecordChunk, row: StoredRow) -> RowWrite:
    fence = Fence(row.fence)
    fence.advance(f"{chunk.topic}/{chunk.partition}", chunk.last_offset)
    key = catalogue_key(chunk.partition)
    return RowWrite(Kind.SHARD, key, row.fence, fence.pack(), b"", (b"", None), chunk.records[-1].timestamp)


def _state(one: _Listed, vectors: Mapping[str, Vector]) -> bytes:
    if isinstance(one.item, Withdrawn):
        return catalogue_rows.pack(catalogue_rows.withdrawn())
    entry = catalogue_rows.from_item(one.item)
    if made := vectors.get(one.item.item_id):
        entry.text_vector, entry.encoder_version = made
    return catalogue_rows.pack(entry)
