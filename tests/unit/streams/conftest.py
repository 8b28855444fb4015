"""Builders that the engine's tests share."""

import json
from collections.abc import Callable

import pytest

from streams.kafka.transport import PartitionBatch, RawRecord

NOW_MS = 1_770_000_000_000
PARTITIONS = 4

MakeChunk = Callable[..., PartitionBatch]


@pytest.fixture
def batch_of() -> MakeChunk:
    """Build a batch from events as dicts, or raw bytes."""

    def build(
        *values: dict[str, object] | bytes, topic: str = "events", partition: int = 0, first: int = 0
    ) -> PartitionBatch:
        records = [
            RawRecord(topic, partition, first + n, NOW_MS, None, _bytes(value), ()) for n, value in enumerate(values)
        ]
        return PartitionBatch(topic, partition, records)

    return build


def _bytes(value: dict[str, object] | bytes) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()
