"""Fences: how far a row has folded each source of records (rule 2), and which event ids it has seen (rule 5)."""

from typing import Final

import msgspec

SEEN_IDS: Final = 64

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
    """The hashes of a row's last `SEEN_IDS` event ids, oldest first."""

    __slots__ = ("_ids", "_order")

    def __init__(self, packed: bytes = b"") -> None:
        self._order = [int.from_bytes(packed[i : i + 8], "little") for i in range(0, len(packed), 8)]
        self._ids = set(self._order)

    def __contains__(self, tie: int) -> bool:
        return tie in self._ids

    def add(self, tie: int) -> None:
        """Remember an id, forgetting the oldest beyond the limit."""
        self._order.append(tie)
        self._ids.add(tie)
        if len(self._order) > SEEN_IDS:
            self._ids.discard(self._order.pop(0))

    def pack(self) -> bytes:
        """Eight bytes an id."""
        return b"".join(tie.to_bytes(8, "little") for tie in self._order)
