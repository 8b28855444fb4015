"""The group that this one is a rebuild of: what it has said already is not said again."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from feature_repo import demand_index
from feature_repo.fences import Fence
from feature_repo.row_store import Kind, RowStore
from streams.engine.intake import Intake, Place, Refused, Taken, found_at
from streams.engine.rows import index_key, source_key
from streams.settings import Settings

K = TypeVar("K")

Said = Callable[[Taken | Refused], bool]
"""Whether all that a record causes was said."""


def nothing_said(_: Taken | Refused) -> bool:
    """Of a group that is no rebuild."""
    return False


class Predecessor:
    """Another group's rows, read only. It speaks before it writes: what its fences have passed, it has said.

    Its workers may be at work meanwhile. What it says after it was asked is said twice, under equal ids.

    Args:
        store: its rows; None for a group that is no rebuild.
    """

    def __init__(self, store: RowStore | None) -> None:
        self._store = store

    @classmethod
    async def open(cls, settings: Settings) -> "Predecessor":
        """Connect to the rows of `HEADRACE_REBUILD_OF`, if it is set.

        Raises:
            StoreError: the store does not answer.
        """
        if settings.rebuild_of is None:
            return cls(None)
        return cls(await RowStore.open(settings.model_copy(update={"group": settings.rebuild_of})))

    async def close(self) -> None:
        """Close the connections."""
        if self._store is not None:
            await self._store.close()

    async def said(self, intakes: Sequence[Intake]) -> Said:
        """What it has said of these records by now.

        Raises:
            StoreError: the store does not answer.
        """
        if self._store is None:
            return nothing_said
        taken = [taken for intake in intakes for taken in intake.taken]
        refused = [refused.record for intake in intakes for refused in intake.refused]
        partitions = {record.partition for record in [*(taken.record for taken in taken), *refused]}
        sources = await _fences(self._store, Kind.SHARD, {p: source_key(p) for p in partitions})
        forwarded = {taken.cause.user_id for taken in taken if _is_forwarded(taken)}
        users = await _fences(self._store, Kind.USER, {user: user for user in forwarded})

        def said(one: Taken | Refused) -> bool:
            # A record that was sent on comes in another order for each group: its shopper's row knows of it.
            if isinstance(one, Taken) and _is_forwarded(one):
                return _has_passed(users[one.cause.user_id], one.place)
            return _has_passed(sources[one.record.partition], one.place)

        return said

    async def concluded(self, partition: int, window_ms: int) -> int:
        """Event time, ms, up to which it has told of the windows of a partition of items; 0 for a group without one.

        Raises:
            StoreError: the store does not answer.
        """
        if self._store is None:
            return 0
        [row] = await self._store.read(Kind.SHARD, [index_key(partition)])
        return demand_index.unpack(row.states[0]).closed * window_ms


async def _fences(store: RowStore, kind: Kind, keys: Mapping[K, str]) -> dict[K, Fence]:
    rows = await store.read(kind, list(keys.values()))
    return {key: Fence(row.fence) for key, row in zip(keys, rows, strict=True)}


def _is_forwarded(taken: Taken) -> bool:
    return taken.place != found_at(taken.record)


def _has_passed(fence: Fence, place: Place) -> bool:
    return fence.passed(place.origin, place.offset)
