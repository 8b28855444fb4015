"""The pipeline of `items`: a partition's owner keeps its items' rows, with a text vector for the served version."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from feature_repo.basics.fences import Fence
from feature_repo.items import catalogue as catalogue_rows
from feature_repo.items.scopes import item_key
from feature_repo.store.row_store import PERSIST, Kind, RowStore, RowWrite, StoredRow
from headrace.errors import BadRecord, ModelUnavailable
from headrace.messages.decoding import decode_item
from headrace.messages.items import Item, Withdrawn
from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.kafka.transport import PartitionBatch
from streams.operations import metrics
from streams.pipeline import batch_log
from streams.pipeline.emit import Outbox, Producer
from streams.pipeline.items.row_access import Row
from streams.pipeline.rows.cache import RowCache
from streams.pipeline.rows.continuity import Continuity
from streams.pipeline.rows.keys import catalogue_key, index_key
from streams.pipeline.shoppers.decode import RecordPosition, Rejected
from streams.serving.catalogue.append_order import NEVER, append_order, is_later, lie_apart
from streams.serving.catalogue.new_items import NewItems, Vector

logger = logging.getLogger(__name__)

_PIPELINE = "item_rows"
_MAX_EXAMPLES: Final = 5


class _CatalogueRecord(NamedTuple):
    item: Item | Withdrawn
    offset: int
    timestamp: int
    order: int

    def is_newest(self, row: StoredRow) -> bool:
        """Whether no other partition has a later record of the item."""
        return is_later(self.order, Fence(row.fence).at(Topic.ITEMS))


class CatalogueRowsPipeline:
    """Takes batches of `items` into the items' rows. The catalogue in memory follows the topic on its own."""

    def __init__(
        self,
        settings: Settings,
        partitions: int,
        store: RowStore,
        producer: Producer,
        new_items: NewItems,
        cache: RowCache[Row],
        continuity: Continuity,
    ) -> None:
        self._cache = cache
        self._continuity = continuity
        self._settings = settings
        self._partitions = partitions
        self._store = store
        self._producer = producer
        self._new_items = new_items

    async def process(self, batch: PartitionBatch) -> None:
        """Take one batch of the catalogue through the pipeline.

        Raises:
            FencedOut, StoreError, RowsLost: as the shopper pipeline.
        """
        partition = await self._read_partition(batch.partition)
        decoded, rejected = self._decode(batch)
        stored = await self._store.read(Kind.ITEM, list(decoded))
        origin = f"{batch.topic}/{batch.partition}"
        fresh = {
            item_id: (decoded[item_id], row)
            for item_id, row in zip(decoded, stored, strict=True)
            if not Fence(row.fence).passed(origin, decoded[item_id].offset)
        }
        outbox = Outbox(self._settings, self._partitions)
        for bad in rejected:
            outbox.dead_letter(*bad)
            metrics.DEAD_LETTERS.labels(bad.error.reason).inc()
        await self._producer.send(outbox)
        batch_log.dead_letters(rejected)
        await self._note_withdrawals(fresh)
        newest = {item_id: (one, row) for item_id, (one, row) in fresh.items() if one.is_newest(row)}
        vectors = await self._vectors([one.item for one, _ in newest.values()])
        self._cache.take(map(item_key, newest))  # the same rows, whose fences move now: they are to be read again
        rows = [_write(origin, one, row, vectors) for one, row in newest.values()]
        await self._store.write([*rows, _write_partition(batch, partition)])
        self._continuity.mark_written(batch.topic, batch.partition, batch.last_offset)
        metrics.RECORDS.labels(batch.topic, "taken").inc(len(fresh))

    async def _read_partition(self, partition: int) -> StoredRow:
        """The row that says how far `items` is folded; that of the item updates is verified with it."""
        keys = [catalogue_key(partition), index_key(partition)]
        stored = await self._store.read(Kind.SHARD, keys)
        for key, row in zip(keys, stored, strict=True):
            self._continuity.verify(key, Fence(row.fence))
        return stored[0]

    def _decode(self, batch: PartitionBatch) -> tuple[dict[str, _CatalogueRecord], list[Rejected]]:
        """The newest good record of each item in the batch, and what is no item."""
        decoded: dict[str, _CatalogueRecord] = {}
        rejected: list[Rejected] = []
        for record in batch.records:
            try:
                item = decode_item(record.key, record.value, appended_ms=record.timestamp, settings=self._settings)
            except BadRecord as bad:
                rejected.append(Rejected(record, RecordPosition(record.topic, record.partition, record.offset), bad))
                continue
            order = append_order(record.timestamp, record.partition)
            decoded[item.item_id] = _CatalogueRecord(item, record.offset, record.timestamp, order)
        return decoded, rejected

    async def _note_withdrawals(self, fresh: Mapping[str, tuple[_CatalogueRecord, StoredRow]]) -> None:
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
                "items in two partitions, since their producers partition differently: the later append counts",
                extra={"count": len(withdrawn) + len(back), "items": [*withdrawn, *back][:_MAX_EXAMPLES]},
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


def _write(origin: str, one: _CatalogueRecord, row: StoredRow, vectors: Mapping[str, Vector]) -> RowWrite:
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
        ttl_ms=0 if row.states[0] else PERSIST,
    )


def _write_partition(batch: PartitionBatch, row: StoredRow) -> RowWrite:
    fence = Fence(row.fence)
    fence.advance(f"{batch.topic}/{batch.partition}", batch.last_offset)
    key = catalogue_key(batch.partition)
    return RowWrite(Kind.SHARD, key, row.fence, fence.pack(), b"", (b"", None), batch.records[-1].timestamp)


def _state(one: _CatalogueRecord, vectors: Mapping[str, Vector]) -> bytes:
    if isinstance(one.item, Withdrawn):
        return catalogue_rows.pack(catalogue_rows.withdrawn())
    entry = catalogue_rows.from_item(one.item)
    if made := vectors.get(one.item.item_id):
        entry.text_vector, entry.encoder_version = made
    return catalogue_rows.pack(entry)
