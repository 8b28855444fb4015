"""A worker whose pipelines write down what they were handed; run as a process of its own.

Usage: python recording_worker.py LOG SECONDS_A_LOAD [POISON]
LOG gets a line for each part of a batch, written before the pipeline is done: `part TOPIC PARTITION OFFSET,OFFSET,…`,
and `batch RECORDS`, `idle PARTITION,…`, `revoked`, `closed`. A record whose value is POISON makes its pipeline raise.
"""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from headrace.errors import StoreError
from headrace.settings.model import Settings, load_settings
from streams.app import build_app
from streams.application.faust_worker import WorkerProcess
from streams.kafka.admin.copartition import Prepared
from streams.kafka.transport import Batch
from streams.scheduler.slots import BatchSlot


class RecordingPipeline:
    def __init__(self, log: TextIO, seconds: float, poison: bytes | None) -> None:
        self._log, self._seconds, self._poison = log, seconds, poison

    async def process(self, batch: Batch, slot: BatchSlot) -> None:
        if self._poison and any(record.value == self._poison for part in batch.parts for record in part.records):
            await slot.await_commit_turn()
            raise StoreError("The online store is full: make room.")
        slot.release_next()
        await slot.await_commit_turn()
        self._log.write(f"batch {batch.size}\n")
        for part in batch.parts:
            offsets = ",".join(str(record.offset) for record in part.records)
            self._log.write(f"part {part.topic} {part.partition} {offsets}\n")
        await asyncio.sleep(self._seconds)

    def invalidate(self) -> None:
        """Nothing is kept."""


class RecordingPipelines:
    def __init__(self, log: Path, seconds: float, poison: bytes | None) -> None:
        self._log = log.open("a", buffering=1)
        self.shoppers = RecordingPipeline(self._log, seconds, poison)
        self.items = RecordingPipeline(self._log, seconds, poison)

    async def recover(self, error: Exception, failures: int) -> None:
        raise error

    def on_zero_lag(self, partitions: frozenset[int]) -> frozenset[int]:
        return partitions

    async def announce_idle(self, partitions: frozenset[int]) -> None:
        self._log.write(f"idle {','.join(map(str, sorted(partitions)))}\n")

    async def on_assigned(self, folded: Mapping[tuple[str, int], int]) -> None:
        for (topic, partition), offset in sorted(folded.items()):
            if offset >= 0:
                self._log.write(f"folded {topic} {partition} {offset}\n")

    async def check_store(self) -> None:
        """There is none."""

    def on_revoked(self) -> None:
        self._log.write("revoked\n")

    async def close(self) -> None:
        self._log.write("closed\n")


async def open_recording(settings: Settings, prepared: Prepared) -> RecordingPipelines:
    log, seconds, *poison = sys.argv[1:]
    return RecordingPipelines(Path(log), float(seconds), poison[0].encode() if poison else None)


if __name__ == "__main__":
    WorkerProcess(build_app(load_settings(), open_recording)).execute_from_commandline()
