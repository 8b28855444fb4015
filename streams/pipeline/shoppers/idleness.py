"""Sources whose time stands still for now, so that they hold no window back (rule 9).

A source is idle only at zero lag, and only after a quiet time: at zero lag for an instant, its next event may be under
way while other partitions race ahead. Quiet is a source whose watermark does not move. It need not be silent: one
shopper alone moves no mark, nor do dead letters, misrouted events, or a clock that stands still.
"""

from collections.abc import Callable, Mapping
from math import inf

from feature_repo.shoppers import watermark
from feature_repo.store.row_store import Kind, RowStore
from headrace.messages.internal import ItemUpdateBatch, Watermark
from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.pipeline.emit import Outbox, Producer
from streams.pipeline.rows.rows import source_key


class Idleness:
    """Announces to the item pipeline each `events` partition that has been quiet for a while and has nothing left to
    read.

    Once; and again, a while later, where something came that moved no mark: to the item pipeline such a source is
    awake.
    """

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
        self._marks: dict[int, int] = {}
        self._still_since: dict[int, float] = {}
        self._caught_up: dict[int, float] = {}
        self._announced: set[int] = set()

    def note_watermarks(self, marks: Mapping[int, int]) -> None:
        """Something came, from `events` or forwarded by another partition: the sources' marks as they are now."""
        now = self._clock()
        for partition, mark in marks.items():
            self._announced.discard(partition)
            if self._marks.get(partition) != mark:
                self._marks[partition], self._still_since[partition] = mark, now

    def reset(self) -> None:
        """Start over, after a rebalance."""
        self._marks.clear()
        self._still_since.clear()
        self._caught_up.clear()
        self._announced.clear()

    def on_zero_lag(self, partitions: frozenset[int]) -> frozenset[int]:
        """Note which partitions have no lag now; return those that are idle and not announced.

        One with traffic is seen to lag now and then. One that was never seen without for a quiet time was behind.
        """
        now, quiet_s = self._clock(), self._settings.idle / 1000
        for partition in partitions:
            if now - self._caught_up.get(partition, -inf) > quiet_s:
                self._still_since[partition] = now
            self._caught_up[partition] = now
        return frozenset(p for p in partitions - self._announced if now - self._still_since[p] >= quiet_s)

    async def announce(self, partitions: frozenset[int]) -> None:
        """Announce partitions; nothing of theirs may be in flight."""
        for partition in sorted(partitions):
            await self._announce_one(partition)
            self._announced.add(partition)
            self._still_since[partition] = self._clock()

    async def _announce_one(self, partition: int) -> None:
        row = (await self._store.read(Kind.SHARD, [source_key(partition)]))[0]
        mark = watermark.unpack(row.states[0])
        batch = ItemUpdateBatch(f"{Topic.EVENTS}/{partition}", partition, [Watermark(-1, mark.announced, idle=True)])
        outbox = Outbox(self._settings, self._partitions)
        for target in range(self._partitions):
            outbox.add_item_updates(target, batch)
        await self._producer.send(outbox)
