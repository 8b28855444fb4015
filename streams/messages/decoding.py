"""Turn the bytes of an input record into its message, or say which defect keeps it from being one.

The fast path is one typed decoder. Only a record that it refuses is taken apart field by field, because the
contract is kinder than the decoder (of a repeated key the last counts, null is as good as absent) and a dead
letter names its reason.
Both paths are functions of the bytes alone: the same record is judged the same way everywhere.
"""

import re
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct

from streams.errors import BadRecord, Reason
from streams.messages.events import NEEDED, Event, EventType, Id
from streams.messages.items import Item, Withdrawn
from streams.messages.requests import ScoreRequest
from streams.settings import Settings

#: Levels of nesting. A limit of our own, since the decoder's depends on how deep its caller stands.
MAX_DEPTH: Final = 100

_T = TypeVar("_T", bound=Struct)
_ABSENT: Final = Raw(b"")
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def decode_event(value: bytes | None, *, appended_ms: int, settings: Settings) -> Event:
    """Decode a record of `events`.

    A null value has no field at all, so it is refused as `missing_field`.

    Args:
        value: the record's bytes.
        appended_ms: append time of the record, ms since 1970 UTC.
        settings: `max_event_bytes` and `future` count.

    Raises:
        BadRecord: the record breaks the contract.
    """
    event = _EVENT.decode(value, settings.max_event_bytes)
    needed = NEEDED[event.type]
    if getattr(event, needed) is None:
        raise BadRecord(Reason.MISSING_FIELD, f"The field `{needed}` is missing: type `{event.type}` needs it.")
    _check_time(event.timestamp, appended_ms, settings.future)
    return event


def decode_request(value: bytes | None, *, appended_ms: int, settings: Settings) -> ScoreRequest:
    """Decode a record of `score.requests`; arguments and errors as for `decode_event`."""
    request = _REQUEST.decode(value, settings.max_event_bytes)
    _check_time(request.timestamp, appended_ms, settings.future)
    return request


def decode_item(key: bytes | None, value: bytes | None, *, appended_ms: int, settings: Settings) -> Item | Withdrawn:
    """Decode a record of `items`: the value's item, whatever the key says, or the one that the key withdraws.

    Raises:
        BadRecord: the value breaks the contract, or a null value has a key that is no item id.
    """
    if value is None:
        return Withdrawn(_withdrawn_id(key))
    item = _ITEM.decode(value, settings.max_event_bytes)
    if item.timestamp is not None:
        _check_time(item.timestamp, appended_ms, settings.future)
    return item


def _check_time(timestamp: int, appended_ms: int, future_ms: int) -> None:
    if timestamp > appended_ms + future_ms:
        ahead = (timestamp - appended_ms) // 1000
        raise BadRecord(Reason.TIMESTAMP_IN_FUTURE, f"The field `timestamp` lies {ahead} s after the time of arrival.")


def _withdrawn_id(key: bytes | None) -> str:
    try:
        return msgspec.convert((key or b"").decode(), Id)
    except (UnicodeDecodeError, msgspec.ValidationError):
        raise BadRecord(
            Reason.MISSING_FIELD,
            "The field `item_id` is missing: the value is null and the key is no item id.",
        ) from None


class _Form(Generic[_T]):
    """How one kind of message is read."""

    def __init__(self, kind: type[_T]) -> None:
        self._kind = kind
        self._fields = msgspec.structs.fields(kind)
        self._typed = msgspec.json.Decoder(kind)
        raw = msgspec.defstruct(f"Raw{kind.__name__}", [(f.name, Raw, _ABSENT) for f in self._fields])
        self._raw: msgspec.json.Decoder[Struct] = msgspec.json.Decoder(raw)
        self._decoders = {f.name: msgspec.json.Decoder(f.type) for f in self._fields}

    def decode(self, value: bytes | None, max_bytes: int) -> _T:
        """The message, or BadRecord."""
        if value is None:
            raise BadRecord(Reason.MISSING_FIELD, "Every field is missing: the value is null.")
        if len(value) > max_bytes:
            detail = f"The value has {len(value)} bytes, more than the {max_bytes} allowed."
            raise BadRecord(Reason.TOO_LARGE, detail)
        if not value.isascii():
            _check_utf8(value)
        # No value nests deeper than it has brackets: counting them is cheap, and hardly ever not enough.
        if value.count(b"[") + value.count(b"{") > MAX_DEPTH:
            _check_depth(value)
        try:
            return self._typed.decode(value)
        except msgspec.ValidationError:
            return self._decode_by_field(value)
        except msgspec.DecodeError as error:
            raise BadRecord(Reason.INVALID_JSON, _malformed(error)) from error

    def _decode_by_field(self, value: bytes) -> _T:
        try:
            raw = self._raw.decode(value)
        except msgspec.ValidationError as error:
            detail = f"The value is no JSON object: {_lowered(error)}."
            raise BadRecord(Reason.WRONG_TYPE, detail) from error
        except msgspec.DecodeError as error:
            raise BadRecord(Reason.INVALID_JSON, _malformed(error)) from error
        found: dict[str, Any] = {}
        for field in self._fields:
            part: Raw = getattr(raw, field.name)
            if bytes(part) not in {b"", b"null"}:
                found[field.name] = self._decode_field(field.name, part)
            elif field.required:
                raise BadRecord(Reason.MISSING_FIELD, f"The field `{field.name}` is missing.")
        return self._kind(**found)

    def _decode_field(self, name: str, part: Raw) -> object:
        try:
            if name == "context":
                # Values one by one, so that of a name given twice the last counts here as well.
                pairs = msgspec.json.decode(part, type=dict[str, Raw])
                return {key: msgspec.json.decode(raw, type=str | int | float) for key, raw in pairs.items()}
            return self._decoders[name].decode(part)
        except msgspec.ValidationError as error:
            raise _bad_field(name, error) from error


def _check_utf8(value: bytes) -> None:
    try:
        value.decode()
    except UnicodeDecodeError as error:
        detail = f"The value is no UTF-8 at byte {error.start}."
        raise BadRecord(Reason.NOT_UTF8, detail) from error


def _check_depth(value: bytes) -> None:
    depth = 0
    for byte in _STRING.sub(b"", value):
        depth += (byte in b"[{") - (byte in b"]}")
        if depth > MAX_DEPTH:
            detail = f"The value nests deeper than the {MAX_DEPTH} levels allowed."
            raise BadRecord(Reason.INVALID_JSON, detail)


def _bad_field(name: str, error: msgspec.ValidationError) -> BadRecord:
    said = _lowered(error)
    if said.startswith("invalid enum value"):
        allowed = ", ".join(EventType)
        return BadRecord(Reason.UNKNOWN_TYPE, f"The field `{name}` is none of {allowed}.")
    reason = Reason.WRONG_TYPE if ", got `" in said else Reason.OUT_OF_RANGE
    return BadRecord(reason, f"The field `{name}` does not fit: {said}.")


def _malformed(error: msgspec.DecodeError) -> str:
    return f"The value is no JSON: {_lowered(error)}."


def _lowered(error: msgspec.DecodeError) -> str:
    said = str(error).partition(" - at `")[0].removeprefix("JSON is malformed: ")
    return said[:1].lower() + said[1:]


_EVENT: Final = _Form(Event)
_ITEM: Final = _Form(Item)
_REQUEST: Final = _Form(ScoreRequest)
