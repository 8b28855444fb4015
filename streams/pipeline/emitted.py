"""The group that this one is a rebuild of: outputs that it has emitted are not emitted again."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from feature_repo.basics.fences import Fence
from feature_repo.basics.windows import Windows, labelled, start_of
from feature_repo.items import window_index
from feature_repo.store.row_store import Kind, RowStore
from headrace.errors import TopicChanged, UsageError
from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.kafka.admin.topic_identity import identities
from streams.pipeline.rows.keys import index_key, source_key
from streams.pipeline.rows.sources import WINDOW
from streams.pipeline.shoppers.decode import Accepted, DecodedBatch, position_of

K = TypeVar("K")

AlreadyEmitted = Callable[[Accepted], bool]
"""Whether all that an event asks for was answered."""


class _Group(NamedTuple):
    """What is known of the other group.

    Attributes:
        partitions: of the topics, when it began.
        repartitioned: whether the topics have got more since.
        windows: what it counts demand by.
    """

    store: RowStore
    partitions: int
    repartitioned: bool
    windows: Windows


class EmittedOutputs:
    """Another group's rows, read only. It emits before it writes: what its fences have passed, it has emitted.

    Its workers may be at work meanwhile. What it emits after this group has looked is emitted twice, under equal ids.

    Args:
        group: None for a group that is no rebuild.
    """

    def __init__(self, group: _Group | None) -> None:
        self._group = group

    @classmethod
    async def open(cls, settings: Settings) -> "EmittedOutputs":
        """Find the rows of `HEADRACE_REBUILD_OF`, if it is set.

        Raises:
            UsageError: no such group has read anything.
            TopicChanged: it has read another `events`.
            StoreError: the store does not answer.
        """
        name = settings.rebuild_of
        if name is None:
            return cls(None)
        store = await RowStore.open(settings.model_copy(update={"group": name}))
        facts = await store.remember({})
        now, _, partitions = identities(settings.kafka_connection, [Topic.EVENTS])[Topic.EVENTS].rpartition(":")
        then, _, before = facts.get(Topic.EVENTS, "").rpartition(":")
        if not then:
            raise UsageError(f"HEADRACE_REBUILD_OF={name}: no group of this name has rows in the online store.")
        if then != now:
            raise TopicChanged(
                f"Group {name!r} has read another `events`, which was recreated since: its outputs are of other "
                "events. Start without HEADRACE_REBUILD_OF."
            )
        windows = labelled(facts.get(WINDOW, str(settings.window)))
        return cls(_Group(store, int(before), before != partitions, windows))

    async def close(self) -> None:
        """Close the connections."""
        if self._group is not None:
            await self._group.store.close()

    async def withdrawn(self) -> dict[str, int]:
        """The withdrawals it has noted, which Kafka may have forgotten since.

        Raises:
            StoreError: the store does not answer.
        """
        return {} if self._group is None else await self._group.store.withdrawn()

    async def already_emitted(self, decoded: Sequence[DecodedBatch]) -> AlreadyEmitted:
        """What it has answered of these events by now; of score requests it leaves no trace.

        Raises:
            StoreError: the store does not answer.
        """
        if self._group is None:
            return _none_emitted
        by_shopper, by_source = self._split_by_row(accepted for one in decoded for accepted in one.accepted)
        users = await _fences(self._group.store, Kind.USER, {t.input.user_id: t.input.user_id for t in by_shopper})
        partitions = {accepted.position.partition for accepted in by_source}
        sources = await _fences(self._group.store, Kind.SHARD, {p: source_key(p) for p in partitions})
        passed = {
            *(t.position for t in by_shopper if users[t.input.user_id].passed(t.position.origin, t.position.offset)),
            *(
                t.position
                for t in by_source
                if sources[t.position.partition].passed(t.position.origin, t.position.offset)
            ),
        }
        return lambda accepted: accepted.position in passed

    async def already_evaluated(self, partition: int, series: str = "") -> int:
        """Event time, ms, up to which it has evaluated the windows of a partition of items; 0 for a group without one.

        Args:
            series: as in `index_key`.

        Raises:
            StoreError: the store does not answer.
        """
        if self._group is None:
            return 0
        # Where there were fewer partitions, an item of this one was in any of them.
        partitions = range(self._group.partitions) if self._group.repartitioned else [partition]
        rows = await self._group.store.read(Kind.SHARD, [index_key(number, series) for number in partitions])
        return start_of(min(window_index.unpack(row.states[0]).closed for row in rows), self._group.windows)

    def _split_by_row(self, accepted: Iterable[Accepted]) -> tuple[list[Accepted], list[Accepted]]:
        """Events of which the shopper's row knows, and those of which the row of their partition does.

        A record that is sent on by either group comes late: the row of its partition says that it was sent on.
        """
        assert self._group is not None
        by_shopper: list[Accepted] = []
        by_source: list[Accepted] = []
        for one in accepted:
            sent_on = self._group.repartitioned or one.position != position_of(one.record)
            (by_shopper if sent_on else by_source).append(one)
        return by_shopper, by_source


def _none_emitted(_: Accepted) -> bool:
    return False


async def _fences(store: RowStore, kind: Kind, keys: Mapping[K, str]) -> dict[K, Fence]:
    rows = await store.read(kind, list(keys.values()))
    return {key: Fence(row.fence) for key, row in zip(keys, rows, strict=True)}
