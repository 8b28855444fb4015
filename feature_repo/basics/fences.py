"""Fences: how far a row has folded each source of records (rule 2), and which event ids it has seen (rule 5)."""

from typing import Final

import msgspec

SEEN_IDS: Final = 256
"""A phone that was offline may send hundreds of events, and all of them again."""
_ID_BYTES: Final = 6
"""Of an id's hash: a new id is taken for one of 256 others once in 1.1e12 times. With five it would be once in 4e9,
an event a year in a large shop, to spare a sixth of the bytes."""
_ID_MASK: Final = (1 << 8 * _ID_BYTES) - 1
_KEPT_BYTES: Final = _ID_BYTES * SEEN_IDS
_MARK: Final = bytes((_ID_BYTES,))
"""Before the hashes: how long each is."""

_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(dict[str, int])


class Fence:
    """For each origin ("topic/partition"), the offset of the last record folded into a row."""

    __slots__ = ("_offsets",)

    def __init__(self, packed: bytes = b"") -> None:
        self._offsets: dict[str, int] = _decoder.decode(packed) if packed else {}

    def at(self, origin: str) -> int:
        """How far an origin is folded; -1 where nothing of it is."""
        return self._offsets.get(origin, -1)

    def passed(self, origin: str, offset: int) -> bool:
        """Whether the record at `offset` is already folded and answered."""
        return offset <= self._offsets.get(origin, -1)

    def enter(self, origin: str, offset: int) -> bool:
        """Note that the record at `offset` is folded now; False where it was already, and nothing is noted."""
        if offset <= self._offsets.get(origin, -1):
            return False
        self._offsets[origin] = offset
        return True

    def advance(self, origin: str, offset: int) -> None:
        """Note that the records up to `offset` are folded now; a fence never goes back."""
        self._offsets[origin] = max(offset, self._offsets.get(origin, -1))

    def pack(self) -> bytes:
        """Bytes that compare equal exactly when the fences are equal."""
        return _encoder.encode(self._offsets)


class SeenIds:
    """The hashes of a row's last `SEEN_IDS` event ids, six bytes each, oldest first; searched as they are stored."""

    __slots__ = ("_packed",)

    def __init__(self, packed: bytes = b"") -> None:
        self._packed = bytearray(packed[1:])

    def __contains__(self, tie: int) -> bool:
        one, packed = _short(tie), self._packed
        at = packed.find(one, max(len(packed) - _KEPT_BYTES, 0))
        while at >= 0 and at % _ID_BYTES:  # a match across two neighbours is no match
            at = packed.find(one, at + 1)
        return at >= 0

    def add(self, tie: int) -> None:
        """Remember an id, forgetting the oldest beyond the limit."""
        packed = self._packed
        packed += _short(tie)
        if len(packed) >= 2 * _KEPT_BYTES:  # seldom: to move all of them each time takes as long as to search them
            del packed[:-_KEPT_BYTES]

    def pack(self) -> bytes:
        """No bytes for no id."""
        return _MARK + self._packed[-_KEPT_BYTES:] if self._packed else b""


def _short(tie: int) -> bytes:
    return (tie & _ID_MASK).to_bytes(_ID_BYTES, "little")
