"""Fences: how far a row has folded each source of records (rule 2), and which event ids it has seen (rule 5)."""

from typing import Final

import msgspec

SEEN_IDS: Final = 64
_TIE_BYTES: Final = 8

_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(dict[str, int])


class Fence:
    """For each origin ("topic/partition"), the offset of the last record folded into a row."""

    __slots__ = ("_offsets",)

    def __init__(self, packed: bytes = b"") -> None:
        self._offsets: dict[str, int] = _decoder.decode(packed) if packed else {}

    def passed(self, origin: str, offset: int) -> bool:
        """Whether the record at `offset` is already folded and answered."""
        return offset <= self._offsets.get(origin, -1)

    def advance(self, origin: str, offset: int) -> None:
        """Note that the records up to `offset` are folded now; a fence never goes back."""
        self._offsets[origin] = max(offset, self._offsets.get(origin, -1))

    def pack(self) -> bytes:
        """Bytes that compare equal exactly when the fences are equal."""
        return _encoder.encode(self._offsets)


class SeenIds:
    """The hashes of a row's last `SEEN_IDS` event ids, eight bytes each, oldest first; searched as they are stored."""

    __slots__ = ("_packed",)

    def __init__(self, packed: bytes = b"") -> None:
        self._packed = packed

    def __contains__(self, tie: int) -> bool:
        one = tie.to_bytes(_TIE_BYTES, "little")
        at = self._packed.find(one)
        while at >= 0 and at % _TIE_BYTES:  # a match across two neighbours is no match
            at = self._packed.find(one, at + 1)
        return at >= 0

    def add(self, tie: int) -> None:
        """Remember an id, forgetting the oldest beyond the limit."""
        self._packed = (self._packed + tie.to_bytes(_TIE_BYTES, "little"))[-_TIE_BYTES * SEEN_IDS :]

    def pack(self) -> bytes:
        """Eight bytes an id."""
        return self._packed
