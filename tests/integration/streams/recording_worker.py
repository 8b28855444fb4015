"""A worker whose roads write down what they were handed; run as a process of its own.

Usage: python recording_worker.py LOG SECONDS_A_CHUNK [POISON]
LOG gets a line for each call, written before the road is done: `chunk TOPIC PARTITION OFFSET,OFFSET,…`,
`idle PARTITION,…`, `revoked`, `closed`. A record whose value is POISON makes its road raise.
"""

import asyncio
import sys
from pathlib import Path

from streams.app import build_app
from streams.errors import StoreError
from streams.settings import Settings, load_settings
from streams.transport import RecordChunk
from streams.worker import Worker


class RecordingRoads:
    def __init__(self, log: Path, seconds: float, poison: bytes | None) -> None:
        self._log = log.open("a", buffering=1)
        self._seconds = seconds
        self._poison = poison

    async def shoppers(self, chunk: RecordChunk) -> None:
        if self._poison and any(record.value == self._poison for record in chunk.records):
            raise StoreError("The online store is full: make room.")
        offsets = ",".join(str(record.offset) for record in chunk.records)
        self._log.write(f"chunk {chunk.topic} {chunk.partition} {offsets}\n")
        await asyncio.sleep(self._seconds)

    async def items(self, chunk: RecordChunk) -> None:
        await self.shoppers(chunk)

    async def idle(self, partitions: frozenset[int]) -> None:
        self._log.write(f"idle {','.join(map(str, sorted(partitions)))}\n")

    def revoked(self) -> None:
        self._log.write("revoked\n")

    async def close(self) -> None:
        self._log.write("closed\n")


async def open_recording(settings: Settings, partitions: int) -> RecordingRoads:
    log, seconds, *poison = sys.argv[1:]
    return RecordingRoads(Path(log), float(seconds), poison[0].encode() if poison else None)


if __name__ == "__main__":
    Worker(build_app(load_settings(), open_recording)).execute_from_commandline()
