"""Sources that have nothing more to say for now, so that they hold no window back (rule 9).

A source is idle only at zero lag, and only after a quiet time: at zero lag for an instant, its next event may be under
way while other partitions race ahead.
"""

from collections.abc import Callable

from feature_repo import watermark
from feature_repo.row_store import Kind, RowStore
from streams.engine.outbox import Outbox, Producer
from streams.engine.rows import source_key
from streams.messages.internal import ItemBatch, Watermark
from streams.settings import Settings
from streams.topics import Topic, rekeyed
from streams.transport import RecordChunk


class Idleness:
    """Tells the items' road, once, of each `events` partition that has been quiet at zero lag for a while."""

    def __init__(
        self,
        settings: Settings,
        partitions: int,
        store: RowStore,
        producer: Producer,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._partitions = partitions
        self._store = store
        self._producer = producer
        self._clock = clock
        # A source's mark moves with what other partitions forward to it, too.
        self._feeds = {Topic.EVENTS, rekeyed(settings.group)}
        self._quiet_since: dict[int, float] = {}
        self._told: set[int] = set()

    def busy(self, chunk: RecordChunk) -> None:
        """A chunk came: its partition is not quiet."""
        if chunk.topic in self._feeds:
            self._quiet_since.pop(chunk.partition, None)
            self._told.discard(chunk.partition)

    def forget(self) -> None:
        """Start over, after a rebalance."""
        self._quiet_since.clear()
        self._told.clear()

    async def at_zero_lag(self, partitions: frozenset[int]) -> None:
        """Hear which partitions have no lag now; announce those that stay so for the quiet time."""
        now = self._clock()
        for gone in self._quiet_since.keys() - partitions:
            del self._quiet_since[gone]
        for partition in sorted(partitions - self._told):
            since = self._quiet_since.setdefault(partition, now)
            if (now - since) * 1000 >= self._settings.idle:
                await self._announce(partition)
                self._told.add(partition)

    async def _announce(self, partition: int) -> None:
        row = (await self._store.read(Kind.SHARD, [source_key(partition)]))[0]
        mark = watermark.unpack(row.states[0])
        batch = ItemBatch(f"{Topic.EVENTS}/{partition}", partition, [Watermark(-1, mark.announced, idle=True)])
        outbox = Outbox(self._settings, self._partitions)
        for target in range(self._partitions):
            outbox.tell_items(target, batch, max(mark.announced, 0))
        await self._producer.send(outbox)
