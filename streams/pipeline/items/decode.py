"""Messages of the item-deltas topic, decoded with a wary eye: what no worker can have sent is refused."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from feature_repo.basics.fences import Fence
from headrace.errors import BadRecord, Reason
from headrace.messages.internal import ItemUpdateBatch
from headrace.settings.model import Settings
from streams.kafka.transport import PartitionBatch, RawRecord
from streams.pipeline.log_ends import HighestOffsets, batch_origin, beyond_log_end, highest_entry
from streams.pipeline.shoppers.decode import Rejected, position_of

_decoder = msgspec.msgpack.Decoder(ItemUpdateBatch)
_LONGER_DAY_MS: Final = 3_600_000
"""A window of days has an hour more where summer time ends."""


class DecodedMessage(NamedTuple):
    """One batch, its record, and the place of the newest record that it claims to stem from."""

    record: RawRecord
    batch: ItemUpdateBatch
    origin: tuple[str, int] | None
    offset: int


class DecodedMessages(NamedTuple):
    """A batch of the item-deltas topic, decoded."""

    decoded: list[DecodedMessage]
    rejected: list[Rejected]

    @property
    def claims(self) -> Iterator[tuple[tuple[str, int], int]]:
        """Where its entries say that they come from."""
        return ((one.origin, one.offset) for one in self.decoded if one.origin and one.offset >= 0)

    def verify(self, ends: HighestOffsets) -> tuple[list[ItemUpdateBatch], list[Rejected]]:
        """The batches, and what is refused; what says that it stems from beyond the end of a log is among that."""
        batches: list[ItemUpdateBatch] = []
        rejected = list(self.rejected)
        for record, batch, origin, offset in self.decoded:
            if origin and offset >= 0 and offset >= (end := ends[origin]):
                rejected.append(Rejected(record, position_of(record), beyond_log_end(*origin, offset, end)))
            else:
                batches.append(batch)
        return batches, rejected


class UpdateDecoder:
    """Decodes item batches; pure."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        self._group = settings.group
        self._partitions = partitions
        # An event lies so far after its append time at most, and the marker of a replay's end so far after its event.
        self._ahead_ms = settings.future + settings.window + _LONGER_DAY_MS + settings.lateness

    def decode(self, batch: PartitionBatch, fence: Fence) -> DecodedMessages:
        """All of a batch that its fence has not passed."""
        read = DecodedMessages([], [])
        origin = f"{batch.topic}/{batch.partition}"
        for record in batch.records:
            if fence.passed(origin, record.offset):
                continue
            try:
                read.decoded.append(self._decode(record))
            except BadRecord as bad:
                read.rejected.append(Rejected(record, position_of(record), bad))
        return read

    def _decode(self, record: RawRecord) -> DecodedMessage:
        try:
            batch = _decoder.decode(record.value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadRecord(Reason.WRONG_TYPE, f"no worker has sent this, for it is no item batch: {error}") from None
        origin = batch_origin(batch, self._group, self._partitions)
        return DecodedMessage(record, batch, origin, highest_entry(batch, record.timestamp + self._ahead_ms))
