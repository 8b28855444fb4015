"""How deep JSON nests, in time that grows with its length alone, whatever its quotes and backslashes are."""

from typing import Final

import numpy as np

from headrace.errors import BadRecord, Reason

#: Levels of nesting. A limit of our own, since the decoder's depends on how deep its caller stands.
MAX_DEPTH: Final = 100

_QUOTE: Final = ord('"')
_OTHERS: Final = bytes(set(range(256)) - set(b'"[]{}'))
_STEP: Final = np.zeros(256, np.int8)
_STEP[list(b"[{")] = 1
_STEP[list(b"]}")] = -1


def check_depth(value: bytes) -> None:
    """Refuse what nests deeper than `MAX_DEPTH`.

    Raises:
        BadRecord: it does.
    """
    # No value nests deeper than it has brackets: counting them is cheap, and hardly ever not enough.
    if value.count(b"[") + value.count(b"{") > MAX_DEPTH and depth(value) > MAX_DEPTH:
        detail = f"The value nests deeper than the {MAX_DEPTH} levels allowed."
        raise BadRecord(Reason.INVALID_JSON, detail)


def depth(value: bytes) -> int:
    """The deepest level of brackets outside of strings; a string without an end reaches to the end."""
    # Of a run of backslashes each second one is escaped by the one before, and what follows an odd run is.
    plain = value.replace(rb"\\", b"").replace(rb"\"", b"").translate(None, _OTHERS)
    characters = np.frombuffer(plain, np.uint8)
    outside = np.cumsum(characters == _QUOTE, dtype=np.int32) & 1 == 0
    return int(np.cumsum(_STEP[characters] * outside, dtype=np.int32).max(initial=0))
