"""The road of `items`: the owner of a partition keeps its items' rows, with a text vector for the served version."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from feature_repo import catalogue as catalogue_rows
from feature_repo.fences import Fence
from feature_repo.row_store import FOR_GOOD, Kind, RowStore, RowWrite, StoredRow
from streams.engine import logbook, metrics
from streams.engine.demand_rows import DemandRow
from streams.engine.intake import Place, Refused
from streams.engine.new_items import NewItems, Vector
from streams.engine.outbox import Outbox, Producer
from streams.engine.row_cache import RowCache
from streams.errors import BadRecord, ModelUnavailable
from streams.messages.decoding import decode_item
from streams.messages.items import Item, Withdrawn
from streams.settings import Settings
from streams.transport import RecordChunk

_ROAD = "item_rows"


class _Listed(NamedTuple):
    item: Item | Withdrawn
    offset: int
    timestamp: int


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
    ) -> None:
        self._cache = cache
        self._settings = settings
        self._partitions = partitions
        self._store = store
        self._producer = producer
        self._new_items = new_items

    async def travel(self, chunk: RecordChunk) -> None:
        """Take one chunk of the catalogue down the road.

        Raises:
            FencedOut, StoreError: as the shoppers' road.
        """
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
        vectors = await self._vectors([one.item for one, _ in fresh.values()])
        self._cache.take(fresh)  # the same rows, whose fences move now: they are to be read again
        await self._store.write([_write(origin, one, row, vectors) for one, row in fresh.values()])
        metrics.EVENTS.labels(chunk.topic, "taken").inc(len(fresh))

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
            listed[item.item_id] = _Listed(item, record.offset, record.timestamp)
        return listed, refused

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


def _state(one: _Listed, vectors: Mapping[str, Vector]) -> bytes:
    if isinstance(one.item, Withdrawn):
        return catalogue_rows.pack(catalogue_rows.withdrawn())
    entry = catalogue_rows.from_item(one.item)
    if made := vectors.get(one.item.item_id):
        entry.text_vector, entry.encoder_version = made
    return catalogue_rows.pack(entry)
