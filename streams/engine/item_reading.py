"""Messages of the item-deltas topic, decoded with a wary eye: what no worker can have sent is refused."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from feature_repo.fences import Fence
from streams.engine.intake import Refused, found_at
from streams.engine.origins import Claims, batch_origin, highest_entry, not_there
from streams.errors import BadRecord, Reason
from streams.messages.internal import ItemBatch
from streams.settings import Settings
from streams.transport import RawRecord, RecordChunk

_decoder = msgspec.msgpack.Decoder(ItemBatch)
_LONGER_DAY_MS: Final = 3_600_000
"""A window of days has an hour more where summer time ends."""


class Decoded(NamedTuple):
    """One batch, its record, and the place of the newest record that is said to have caused it."""

    record: RawRecord
    batch: ItemBatch
    origin: tuple[str, int] | None
    offset: int


class ReadBatches(NamedTuple):
    """A chunk of the item-deltas topic, decoded."""

    decoded: list[Decoded]
    refused: list[Refused]

    @property
    def claims(self) -> Iterator[tuple[tuple[str, int], int]]:
        """Where its entries say that they come from."""
        return ((one.origin, one.offset) for one in self.decoded if one.origin and one.offset >= 0)

    def hold_against(self, ends: Claims) -> tuple[list[ItemBatch], list[Refused]]:
        """The batches, and what is refused; what says that it stems from beyond the end of a log is among that."""
        batches: list[ItemBatch] = []
        refused = list(self.refused)
        for record, batch, origin, offset in self.decoded:
            if origin and offset >= 0 and offset >= (end := ends[origin]):
                refused.append(Refused(record, found_at(record), not_there(*origin, offset, end)))
            else:
                batches.append(batch)
        return batches, refused


class BatchReading:
    """Decodes item batches; pure."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        self._group = settings.group
        self._partitions = partitions
        # An event lies so far after its append time at most, and the marker of a replay's end so far after its event.
        self._ahead_ms = settings.future + settings.window + _LONGER_DAY_MS + settings.lateness

    def decode(self, chunk: RecordChunk, fence: Fence) -> ReadBatches:
        """All of a chunk that its fence has not passed."""
        read = ReadBatches([], [])
        origin = f"{chunk.topic}/{chunk.partition}"
        for record in chunk.records:
            if fence.passed(origin, record.offset):
                continue
            try:
                read.decoded.append(self._decode(record))
            except BadRecord as bad:
                read.refused.append(Refused(record, found_at(record), bad))
        return read

    def _decode(self, record: RawRecord) -> Decoded:
        try:
            batch = _decoder.decode(record.value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadRecord(Reason.WRONG_TYPE, f"no worker has sent this, for it is no item batch: {error}") from None
        origin = batch_origin(batch, self._group, self._partitions)
        return Decoded(record, batch, origin, highest_entry(batch, record.timestamp + self._ahead_ms))
