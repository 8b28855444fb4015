"""A worker whose roads write down what they were handed; run as a process of its own.

Usage: [ITEMS_PAUSE_S=SECONDS] python recording_worker.py LOG SECONDS_A_LOAD [POISON]
LOG gets a line for each chunk of a load, written before the road is done: `chunk TOPIC PARTITION OFFSET,OFFSET,…`,
and `load RECORDS`, `idle PARTITION,…`, `revoked`, `closed`. A record whose value is POISON makes its road raise.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from streams import roads
from streams.app import build_app
from streams.copartition import Prepared
from streams.errors import StoreError
from streams.line import Way
from streams.settings import Settings, load_settings
from streams.transport import Load
from streams.worker import Worker


class RecordingRoad:
    def __init__(self, log: TextIO, seconds: float, poison: bytes | None) -> None:
        self._log, self._seconds, self._poison = log, seconds, poison

    async def travel(self, load: Load, way: Way) -> None:
        if self._poison and any(record.value == self._poison for chunk in load.chunks for record in chunk.records):
            await way.clear()
            raise StoreError("The online store is full: make room.")
        way.open()
        await way.clear()
        self._log.write(f"load {load.size}\n")
        for chunk in load.chunks:
            offsets = ",".join(str(record.offset) for record in chunk.records)
            self._log.write(f"chunk {chunk.topic} {chunk.partition} {offsets}\n")
        await asyncio.sleep(self._seconds)

    def forget(self) -> None:
        """Nothing is kept."""


class RecordingRoads:
    def __init__(self, log: Path, seconds: float, poison: bytes | None) -> None:
        self._log = log.open("a", buffering=1)
        self.shoppers = RecordingRoad(self._log, seconds, poison)
        self.items = RecordingRoad(self._log, seconds, poison)

    async def mend(self, error: Exception, failures: int) -> None:
        raise error

    def quiet(self, partitions: frozenset[int]) -> frozenset[int]:
        return partitions

    async def idle(self, partitions: frozenset[int]) -> None:
        self._log.write(f"idle {','.join(map(str, sorted(partitions)))}\n")

    async def take(self, folded: Mapping[tuple[str, int], int]) -> None:
        for (topic, partition), offset in sorted(folded.items()):
            if offset >= 0:
                self._log.write(f"folded {topic} {partition} {offset}\n")

    async def look_after_store(self) -> None:
        """There is none."""

    def revoked(self) -> None:
        self._log.write("revoked\n")

    async def close(self) -> None:
        self._log.write("closed\n")


async def open_recording(settings: Settings, prepared: Prepared) -> RecordingRoads:
    log, seconds, *poison = sys.argv[1:]
    return RecordingRoads(Path(log), float(seconds), poison[0].encode() if poison else None)


if __name__ == "__main__":
    roads._ITEMS_PAUSE_S = float(os.environ.get("ITEMS_PAUSE_S", roads._ITEMS_PAUSE_S))
    Worker(build_app(load_settings(), open_recording)).execute_from_commandline()
