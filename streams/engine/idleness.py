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
from streams.transport import Load


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

    def busy(self, load: Load) -> None:
        """Something came: its partitions are not quiet."""
        for chunk in load.chunks:
            if chunk.topic in self._feeds:
                self._quiet_since.pop(chunk.partition, None)
                self._told.discard(chunk.partition)

    def forget(self) -> None:
        """Start over, after a rebalance."""
        self._quiet_since.clear()
        self._told.clear()

    def at_zero_lag(self, partitions: frozenset[int]) -> frozenset[int]:
        """Hear which partitions have no lag now; return those that were so for the quiet time and are not told of."""
        now = self._clock()
        for gone in self._quiet_since.keys() - partitions:
            del self._quiet_since[gone]
        for partition in partitions - self._told:
            self._quiet_since.setdefault(partition, now)
        quiet_s = self._settings.idle / 1000
        return frozenset(p for p in partitions - self._told if now - self._quiet_since[p] >= quiet_s)

    async def tell(self, partitions: frozenset[int]) -> None:
        """Announce partitions; nothing of theirs may be under way."""
        for partition in sorted(partitions):
            await self._announce(partition)
            self._told.add(partition)

    async def _announce(self, partition: int) -> None:
        row = (await self._store.read(Kind.SHARD, [source_key(partition)]))[0]
        mark = watermark.unpack(row.states[0])
        batch = ItemBatch(f"{Topic.EVENTS}/{partition}", partition, [Watermark(-1, mark.announced, idle=True)])
        outbox = Outbox(self._settings, self._partitions)
        for target in range(self._partitions):
            outbox.tell_items(target, batch)
        await self._producer.send(outbox)
