"""Whether the online store still holds all that was folded: rows that it has lost are not folded into."""

from collections.abc import Mapping

from feature_repo.basics.fences import Fence
from feature_repo.store.probe import RESTORE
from feature_repo.store.row_store import Kind, RowStore
from headrace.errors import RowsLost
from headrace.topics import Topic, item_updates, rekeyed
from streams.pipeline.rows.keys import catalogue_key, index_key, source_key


class Continuity:
    """Of each partition of this worker: the last record that is known to be folded.

    A partition's row is written with every batch of it, so its fence never lies below what this worker has written or
    the group has noted beside a commit. Where it does, the store has lost writes: a flush, a failover to a replica
    that lagged, a restored backup. Offsets that somebody else has committed bear no note, and ask nothing of the store.
    """

    def __init__(self, group: str) -> None:
        self._row_of = {
            Topic.EVENTS: source_key,
            rekeyed(group): source_key,
            Topic.ITEMS: catalogue_key,
            item_updates(group): index_key,
        }
        self._folded: dict[str, dict[str, int]] = {}
        """Of each partition's row: origin → the last record that its fence has passed."""

    def assign(self, folded: Mapping[tuple[str, int], int]) -> None:
        """Begin with these partitions, and the last record of each that the group has noted as folded, -1 if none."""
        self._folded.clear()
        for (topic, partition), offset in folded.items():
            if offset >= 0:
                self.mark_written(topic, partition, offset)

    def mark_written(self, topic: str, partition: int, offset: int) -> None:
        """Note that everything up to a record is in the store."""
        if topic in self._row_of:  # score requests leave nothing behind
            origins = self._folded.setdefault(self._row_of[topic](partition), {})
            origin = f"{topic}/{partition}"
            origins[origin] = max(offset, origins.get(origin, -1))

    def verify(self, row: str, fence: Fence) -> None:
        """Hold the fence of a partition's row, as it was just read, against what is known to be folded.

        Raises:
            RowsLost: it lies below.
        """
        _verify(self._folded.get(row, {}), fence)

    async def verify_all(self, store: RowStore) -> None:
        """Read the rows of all partitions, and hold them against what is known to be folded.

        Raises:
            RowsLost: one lies below.
            StoreError: the store does not answer.
        """
        known = {row: dict(origins) for row, origins in self._folded.items()}  # fences only rise while rows are read
        for row, stored in zip(known, await store.read(Kind.SHARD, list(known)), strict=True):
            _verify(known[row], Fence(stored.fence))


def _verify(folded: Mapping[str, int], fence: Fence) -> None:
    for origin, offset in folded.items():
        if fence.passed(origin, offset):
            continue
        topic, _, partition = origin.rpartition("/")
        held = fence.at(origin)
        raise RowsLost(
            f"The online store has lost features of {topic} partition {partition}: offset {offset} was folded, and "
            + (f"its rows reach {held}" if held >= 0 else "its rows are gone")
            + f". {RESTORE}"
        )
