"""What an application hands its batches to."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from headrace.settings.model import Settings
from streams.kafka.admin.copartition import Prepared
from streams.kafka.transport import Batch
from streams.pipeline.shoppers.idleness import IdleSources
from streams.scheduler.slots import BatchSlot


class Pipeline(Protocol):
    """What an agent hands its batches to."""

    async def process(self, batch: Batch, slot: BatchSlot) -> None:
        """Take a batch through all steps; when this returns its offsets may be committed."""

    def invalidate(self) -> None:
        """Drop what is kept of rows: a batch failed half way, or another worker may write them."""


class Pipelines(Protocol):
    """All that a worker's agents work with; `Runtime` is the one that works."""

    @property
    def shoppers(self) -> Pipeline: ...

    @property
    def items(self) -> Pipeline: ...

    async def recover(self, error: Exception, failures: int) -> None:
        """Return when a pipeline that raised may begin again, or raise the error."""

    def on_zero_lag(self, partitions: frozenset[int]) -> IdleSources:
        """Note, about once a second, which `events` partitions have nothing left to read; return those of them that
        are to be announced as idle."""
        ...

    async def announce_idle(self, idle: IdleSources) -> None:
        """Announce that they are idle, while no batch is in flight."""

    async def on_assigned(self, folded: Mapping[tuple[str, int], int]) -> None:
        """Begin with these partitions, of each the last record that the group has noted as folded, -1 if none; raise
        if the online store has lost some of it."""

    async def check_store(self) -> None:
        """Raise if the online store has lost rows."""

    def on_revoked(self) -> None:
        """Drop what was known of partitions: they may be another worker's now."""

    async def close(self) -> None: ...


OpenPipelines = Callable[[Settings, Prepared], Awaitable[Pipelines]]
