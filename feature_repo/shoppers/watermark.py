"""How far a source partition's event time has come, and which events come late.

One producer's clock that runs ahead moves nothing alone: the watermark of a source is the second newest time among
distinct shoppers. Nor do several: an event's time counts at most as the time at which the log took it, so that a clock
is believed as far as it runs behind, and the mark never passes what was really read.

What is late is decided here, at the source, by the order of its own log; how sources interleave at the item pipeline
then changes no decision.
"""

import msgspec
from msgspec import Struct

from feature_repo.basics.schema import reader
from feature_repo.basics.windows import Windows, number_at, start_of


class SourceWatermark(Struct, array_like=True, forbid_unknown_fields=True):
    """Event time of one `events` partition, in ms.

    Attributes:
        newest, newest_user: the newest event time seen, at most its record's append time, and whose it was.
        second: the newest event time of anyone else; the watermark.
        announced: the last watermark announced to the item pipeline; windows are late by this one.
    """

    newest: int = -1
    newest_user: str = ""
    second: int = -1
    second_user: str = ""
    announced: int = -1

    def is_late(self, timestamp: int, windows: Windows, lateness_ms: int) -> bool:
        """Whether the window of `timestamp` was already closable when this event came."""
        end = start_of(number_at(timestamp, windows) + 1, windows)
        return end + lateness_ms <= self.announced

    def observe(self, timestamp: int, user_id: str, appended_ms: int, windows: Windows, lateness_ms: int) -> int | None:
        """Take one event's time; return the watermark to announce when another window became closable.

        Args:
            appended_ms: when the log took the event, as far as it tells.
        """
        self._rank(min(timestamp, appended_ms), user_id)
        if self.second < 0:
            return None
        due = number_at(self.second - lateness_ms, windows)
        announced = number_at(self.announced - lateness_ms, windows)
        if self.announced >= 0 and due <= announced:
            return None
        self.announced = self.second
        return self.announced

    def _rank(self, timestamp: int, user_id: str) -> None:
        if user_id == self.newest_user:
            self.newest = max(self.newest, timestamp)
        elif timestamp > self.newest:
            self.second, self.second_user = self.newest, self.newest_user
            self.newest, self.newest_user = timestamp, user_id
        elif timestamp > self.second:
            self.second, self.second_user = timestamp, user_id


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_read = reader(SourceWatermark)


def pack(mark: SourceWatermark) -> bytes:
    """The bytes of a source's row."""
    return _encoder.encode(mark)


def unpack(packed: bytes) -> SourceWatermark:
    """The inverse of `pack`; no bytes give a source that has seen nothing."""
    return _read(packed)
