"""Malformed records as large as may be, each of a form that a careless check takes long over."""

from collections.abc import Callable
from typing import Any, Final

from benchmarks.malformed.record import Malformed, as_json, because
from headrace.errors import Reason

_ROOM: Final = 1_024
"""Bytes of the event around what makes it long."""
_YEARS_MS: Final = 10 * 366 * 86_400_000

Maker = Callable[[dict[str, Any], int], Malformed]


def _too_large(event: dict[str, Any], most_bytes: int) -> Malformed:
    return because(as_json({**event, "text": "x" * most_bytes}), Reason.TOO_LARGE)


def _plain(pattern: bytes, *reasons: Reason, before: bytes = b"", after: bytes = b"") -> Maker:
    """Nothing but a pattern, over and over."""

    def make(_: dict[str, Any], most_bytes: int) -> Malformed:
        times = (most_bytes - len(before) - len(after)) // len(pattern)
        return because(before + pattern * times + after, *reasons)

    return make


def _within(name: str, pattern: bytes, reason: Reason, before: bytes = b"", after: bytes = b"") -> Maker:
    """A good event with one long field; `reason` is that of what stands after the pattern, or of all of it."""

    def make(event: dict[str, Any], most_bytes: int) -> Malformed:
        head = as_json({key: value for key, value in event.items() if key != name})[:-1]
        head += b', "' + name.encode() + b'": ' + before
        times = (most_bytes - len(head) - len(after) - 1) // len(pattern)
        return because(head + pattern * times + after + b"}", reason)

    return make


def _pairs_then_future(event: dict[str, Any], most_bytes: int) -> Malformed:
    """Pairs that are left out one by one, of an event whose time is refused last of all."""
    pairs = {f"{number:06}": [] for number in range((most_bytes - _ROOM) // 14)}
    late = event["timestamp"] + _YEARS_MS
    return because(as_json({**event, "context": pairs, "timestamp": late}), Reason.TIMESTAMP_IN_FUTURE)


def _names(event: dict[str, Any], most_bytes: int) -> Malformed:
    """Many names, and not the one that is needed."""
    names = {f"{number:06}": 0 for number in range((most_bytes - _ROOM) // 13)}
    return because(as_json({**names, "eventId": event["event_id"]}), Reason.MISSING_FIELD)


def _bad_end(event: dict[str, Any], most_bytes: int) -> Malformed:
    whole = as_json({**event, "text": "é" * ((most_bytes - _ROOM) // 2)}, plain=False)
    return because(whole[:-2] + b'\xff"}', Reason.NOT_UTF8)


def _many(event: dict[str, Any], most_bytes: int) -> Malformed:
    one = as_json(event)
    return because(b"[" + b",".join([one] * (most_bytes // (len(one) + 1) - 1)) + b"]", Reason.WRONG_TYPE)


def _lines(event: dict[str, Any], most_bytes: int) -> Malformed:
    one = as_json(event) + b"\n"
    return because(one * (most_bytes // len(one)), Reason.INVALID_JSON)


def _enveloped(event: dict[str, Any], most_bytes: int) -> Malformed:
    data = {**event, "text": "x" * (most_bytes - _ROOM)}
    return because(as_json({"specversion": "1.0", "data": data}), Reason.MISSING_FIELD)


LONG: Final[dict[str, Maker]] = {
    "larger than allowed": _too_large,
    "escaped quotes, then brackets": _plain(b'\\"', Reason.INVALID_JSON, before=b'"', after=b"[" * 101),
    "backslashes, then brackets": _plain(b"\\", Reason.INVALID_JSON, before=b'"', after=b"[" * 101),
    "quotes, then brackets": _plain(b'"', Reason.INVALID_JSON, after=b"[" * 101),
    "strings that open": _plain(b'["', Reason.INVALID_JSON),
    "brackets that open": _plain(b"[", Reason.INVALID_JSON),
    "empty lists": _plain(b"[],", Reason.WRONG_TYPE, before=b"[", after=b"[]]"),
    "empty strings": _plain(b'"",', Reason.INVALID_JSON, before=b"[", after=b"[" * 101),
    "spaces": _plain(b" ", Reason.INVALID_JSON),
    "zero bytes": _plain(b"\x00", Reason.INVALID_JSON),
    "a table": _plain(b"a,", Reason.INVALID_JSON),
    "an integer": _within("quantity", b"9", Reason.OUT_OF_RANGE),
    "a number": _within("price", b"9", Reason.OUT_OF_RANGE),
    "a time": _within("timestamp", b"9", Reason.OUT_OF_RANGE),
    "an exponent": _within("quantity", b"9", Reason.OUT_OF_RANGE, before=b"1e"),
    "a fraction": _within("quantity", b"0", Reason.WRONG_TYPE, before=b"1.5"),
    "escapes": _within("event_id", b"\\u00e9", Reason.OUT_OF_RANGE, before=b'"', after=b'"'),
    "a repeated name": _within("quantity", b' "quantity": 1,', Reason.WRONG_TYPE, before=b"1,", after=b' "item_id": 5'),
    "empty ids": _within("items", b'"",', Reason.OUT_OF_RANGE, before=b"[", after=b'""]'),
    "other ids that are none": _within("user_ids", b'"u",', Reason.WRONG_TYPE, before=b"[", after=b"1]"),
    "pairs of a context": _pairs_then_future,
    "names": _names,
    "no UTF-8 at the end": _bad_end,
    "a list of events": _many,
    "events on lines": _lines,
    "an envelope": _enveloped,
}
"""By what each is: (event, most bytes of a value) → a record that is refused."""
