"""What a worker does about its online store: a server that refuses is waited for, for a while; lost rows end it."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from math import inf
from typing import Final

from feature_repo.store.row_store import RowStore
from headrace.errors import RowsLost, RowsMissing, StoreError, StoreRefused
from streams.pipeline.rows.continuity import Continuity

logger = logging.getLogger(__name__)

LOST: Final = "lost"
"""Beside what a group's rows were made for: that some of them are gone. The next worker could not see it."""
_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 10.0
_PATIENCE_S: Final = 60.0
"""A failover takes seconds, and behind the same name stands another server then. What is full, or takes no password,
stays so until an operator acts."""
_LONG_AGO_S: Final = 600.0


class StoreWatch:
    """Looks after one group's online store.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, store: RowStore, continuity: Continuity, group: str, clock: Callable[[], float]) -> None:
        self._store = store
        self._continuity = continuity
        self._group = group
        self._clock = clock
        self._refused_since = self._last_error = -inf

    async def open(self) -> None:
        """Find out whether the store takes rows, and still has those of this group.

        Raises:
            StoreRefused, StoreError, RowsLost: with what to do about it.
        """
        await self._store.probe()
        if lost := (await self._store.remember({})).get(LOST):
            raise RowsLost(
                f"The rows of group {self._group!r} are not whole: {lost} When they are again, or to go on without: "
                f"`redis-cli HDEL headrace:{self._group}:topics {LOST}`."
            )

    async def on_assigned(self, folded: Mapping[tuple[str, int], int]) -> None:
        """Begin with these partitions, and hold their rows against what the group has noted as folded.

        Raises:
            RowsLost: the store has lost some of it.
        """
        self._continuity.assign(folded)
        await self.check()

    async def check(self) -> None:
        """Hold the store against what is known to be folded; one that does not answer is looked at again later.

        Raises:
            RowsLost: it has lost rows.
        """
        try:
            await self._store.verify_evictions()
            await self._continuity.verify_all(self._store)
        except RowsLost as lost:
            try:
                await self._confirm(lost)
            except StoreError as error:
                logger.warning("%s", error)
        except StoreError as error:
            logger.info("online store check postponed: %s", error)

    async def wait(self, error: StoreError, failures: int) -> None:
        """Return when the store takes rows again. A batch is tried again only then: it would send its outputs anew.

        Args:
            failures: in a row, this one included; with the first, or the first for long, the time begins that a
                refusal may last.

        Raises:
            StoreRefused: it has refused for a minute.
        """
        logger.warning("waiting for the online store: %s", error)
        if failures <= 1 or self._clock() - self._last_error > _LONG_AGO_S:
            self._refused_since = self._clock()
        if isinstance(error, StoreRefused):
            await self._until_it_takes_rows(error, failures)
        else:
            await asyncio.sleep(_PAUSE_S)
            await self._until_up()
        self._last_error = self._clock()

    async def wait_unless_lost(self, lost: RowsLost, failures: int) -> None:
        """Return when the batch may be tried again: what a replica lacks, another server may have.

        Raises:
            RowsLost: the rows are gone for good.
            StoreRefused: as `wait`.
        """
        try:
            await self._confirm(lost)
            await asyncio.sleep(_PAUSE_S)
        except StoreError as error:
            await self.wait(error, failures)

    async def _until_it_takes_rows(self, error: StoreRefused, failures: int) -> None:
        await asyncio.sleep(min(_PAUSE_S * 2 ** min(failures - 1, 10), _LONGEST_PAUSE_S))
        while (refusal := await self._refusal()) is not None:
            await self._outlast(refusal)
        if self._clock() - self._refused_since > _PATIENCE_S:  # it takes a small row, and not the batch
            raise error

    async def _until_up(self) -> None:
        """What comes back may be another server: its time to refuse begins anew."""
        await self._store.wait_until_up()
        self._refused_since = self._clock()

    async def _refusal(self) -> StoreRefused | None:
        await self._store.disconnect_all()
        try:
            await self._store.probe()
        except StoreRefused as refusal:
            return refusal
        except StoreError:
            await self._until_up()
            return await self._refusal()
        return None

    async def _outlast(self, refusal: StoreRefused) -> None:
        if self._clock() - self._refused_since > _PATIENCE_S:
            raise refusal
        logger.warning("waiting for the online store: %s", refusal)
        await asyncio.sleep(_PAUSE_S)

    async def _confirm(self, lost: RowsLost) -> None:
        """Return where it was no loss: a server that is no replica, asked again, has all that was folded."""
        await self._store.verify_primary()
        await self._continuity.verify_all(self._store)
        if not isinstance(lost, RowsMissing):
            return
        try:
            await self._store.remember({LOST: str(lost)})
        except StoreError as error:
            logger.warning("lost rows not recorded for the next worker: %s", error)
        raise lost
