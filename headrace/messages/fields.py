"""One field at a time: what the contract allows of a field, and a typed decoder alone would refuse.

A name means the same in every message, so what is special about a field stands here by its name.
"""

from collections.abc import Callable
from math import isfinite
from typing import Any, Final

import msgspec
from msgspec import Raw

from headrace.errors import BadRecord, Reason
from headrace.messages.events import LAST_MS, MAX_TITLE, EventType

OnSkipped = Callable[[str], None]
"""Told the name of each pair of a context whose value is neither text nor a number."""

_INTEGERS: Final = frozenset({"timestamp", "quantity"})
LISTS_OF_NAMES: Final = frozenset({"categories", "pinned_for"})
"""One name may stand for a list of one."""
ZERO_IS_NOTHING: Final = frozenset({"timestamp", "quantity", "rating"})
_DIGIT: Final = frozenset(b"-0123456789")
_FRACTION: Final = frozenset(b".eE")
_UNIT: Final = "ms since 1970 UTC are wanted, as an integer"

_text: Final = msgspec.json.Decoder(str)
_pairs: Final = msgspec.json.Decoder(dict[str, Raw])
_QUOTE: Final = ord('"')
_INT64_DIGITS: Final = 20


class Field:
    """How one field of a message is read."""

    def __init__(self, name: str, kind: Any, *, required: bool) -> None:
        self.name = name
        self.required = required
        self._kind = kind
        self._typed = msgspec.json.Decoder(kind)

    def holds_nothing(self, part: bytes) -> bool:
        """Whether a field that is not needed counts as absent: `""`, `[]`, or 0 where that is out of range."""
        if part[:1] == b"[":
            return not part[1:-1].strip()
        return part == b'""' or (self.name in ZERO_IS_NOTHING and part[0] in _DIGIT and float(part) == 0)

    def decode(self, part: bytes, on_skipped: OnSkipped) -> object:
        """The field's value.

        Raises:
            BadRecord: it does not fit.
        """
        try:
            if self.name == "context":
                return _context(part, on_skipped)
            if part[:1] == b'"' and self.name in LISTS_OF_NAMES:
                return [_text.decode(part)]
            if part[:1] == b'"' and self.name == "title":
                return msgspec.convert(_text.decode(part)[:MAX_TITLE], self._kind)
            if self.name in _INTEGERS and (number := _whole(part)) is not None:
                return msgspec.convert(number, self._kind)
            return self._typed.decode(part)
        except msgspec.ValidationError as error:
            raise _bad_field(self.name, part, error) from error


def _whole(part: bytes) -> int | None:
    """An integer written with a point or an exponent; each that a field may hold is exact as a float."""
    if part[0] not in _DIGIT or _FRACTION.isdisjoint(part):
        return None
    number = float(part)
    return int(number) if number.is_integer() else None


def _context(part: bytes, on_skipped: OnSkipped) -> dict[str, str | int | float]:
    """The pairs of a context, of a repeated name the last."""
    kept: dict[str, str | int | float] = {}
    for name, raw in _pairs.decode(part).items():
        value = bytes(raw)
        if value[0] == _QUOTE:
            kept[name] = _text.decode(value)
        elif value[0] in _DIGIT and isfinite(number := _number(value)):
            kept[name] = number
        else:
            on_skipped(name)
    return kept


def _number(part: bytes) -> int | float:
    """An integer of 64 bits, or a float; infinite where it is beyond floats."""
    if len(part) <= _INT64_DIGITS and _FRACTION.isdisjoint(part) and -(2**63) <= (whole := int(part)) < 2**63:
        return whole
    return float(part)


def _bad_field(name: str, part: bytes, error: msgspec.ValidationError) -> BadRecord:
    message = lowered(error)
    if message.startswith("invalid enum value"):
        allowed = ", ".join(EventType)
        return BadRecord(Reason.UNKNOWN_TYPE, f"The field `{name}` is none of {allowed}.")
    reason = Reason.WRONG_TYPE if ", got `" in message else Reason.OUT_OF_RANGE
    hint = f"; {_time_hint(part)}" if name == "timestamp" else ""
    return BadRecord(reason, f"The field `{name}` does not fit: {message}{hint}.")


def _time_hint(part: bytes) -> str:
    if part[:1] == b'"':
        return f"it is text: {_UNIT}"
    number = float(part) if part[0] in _DIGIT else 0.0
    if LAST_MS < number < 1e17:
        return f"is it in microseconds? {_UNIT}"
    if 1e17 <= number < 1e20:
        return f"is it in nanoseconds? {_UNIT}"
    if isfinite(number) and not number.is_integer():
        return f"is it in seconds with a fraction? {_UNIT}"
    return _UNIT


def seconds_hint(timestamp: int) -> str:
    """What to say of a time that is too early."""
    return f"is {timestamp} in seconds? {_UNIT}"


def lowered(error: msgspec.DecodeError) -> str:
    """What a decoder said, as part of a sentence, without the place."""
    message = str(error).partition(" - at `")[0].removeprefix("JSON is malformed: ")
    return message[:1].lower() + message[1:]
