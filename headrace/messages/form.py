"""How one kind of message is read: by one typed decoder, and field by field what that refuses."""

from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct

from headrace.errors import BadRecord, Reason
from headrace.messages import envelopes, lookalikes
from headrace.messages.depth import check_depth
from headrace.messages.fields import Field, OnSkipped, lowered

_T = TypeVar("_T", bound=Struct)
_ABSENT: Final = Raw(b"")
_any: Final = msgspec.json.Decoder(Raw)
_NOTHING: Final = frozenset({b"", b"null"})


class Form(Generic[_T]):
    """Reads one kind of message.

    Args:
        kind: the message.
        needs: which field, beyond those that are always required, a message of each `type` needs.
    """

    def __init__(self, kind: type[_T], needs: Mapping[Any, str] | None = None) -> None:
        fields = msgspec.structs.fields(kind)
        self._kind = kind
        self._needs = needs or {}
        self._typed = msgspec.json.Decoder(kind)
        raw = msgspec.defstruct(f"Raw{kind.__name__}", [(f.name, Raw, _ABSENT) for f in fields])
        self._raw: msgspec.json.Decoder[Struct] = msgspec.json.Decoder(raw)
        self._fields = [Field(f.name, f.type, required=f.required) for f in fields]
        self._wanted = [f.name for f in fields if f.required]

    def decode(self, value: bytes | None, max_bytes: int, on_skipped: OnSkipped) -> _T:
        """The message.

        Raises:
            BadRecord: the value is none.
        """
        if value is None:
            raise BadRecord(Reason.MISSING_FIELD, "Every field is missing: the value is null.")
        if len(value) > max_bytes:
            detail = f"The value has {len(value)} bytes, more than the {max_bytes} allowed."
            raise BadRecord(Reason.TOO_LARGE, detail)
        if not value.isascii():
            _check_utf8(value)
        check_depth(value)
        try:
            return self._typed.decode(value)
        except msgspec.ValidationError:
            return self._decode_by_field(value, on_skipped)
        except msgspec.DecodeError as error:
            raise _no_json(value, error) from error

    def _decode_by_field(self, value: bytes, on_skipped: OnSkipped) -> _T:
        try:
            raw = self._raw.decode(value)
        except msgspec.ValidationError as error:
            raise _no_object(value, error) from error
        except msgspec.DecodeError as error:
            raise _no_json(value, error) from error
        found: dict[str, Any] = {}
        for field in self._fields:
            part = bytes(getattr(raw, field.name))
            needed = field.required or field.name == self._needs.get(found.get("type"))
            if part in _NOTHING:
                if field.required:
                    raise self._lacks(field.name, value)
            elif needed or not field.holds_nothing(part):
                found[field.name] = field.decode(part, on_skipped)
        return self._kind(**found)

    def _lacks(self, name: str, value: bytes) -> BadRecord:
        message = f"The field `{name}` is missing"
        return BadRecord(Reason.MISSING_FIELD, _with_hint(message, envelopes.of_object(value, self._wanted)))


def _check_utf8(value: bytes) -> None:
    try:
        value.decode()
    except UnicodeDecodeError as error:
        message = f"The value is no UTF-8 at byte {error.start}"
        raise BadRecord(Reason.NOT_UTF8, _with_hint(message, lookalikes.of_bytes(value))) from error


def _no_object(value: bytes, error: msgspec.ValidationError) -> BadRecord:
    try:
        _any.decode(value)  # the decoder before stopped where it saw that this is no object
    except msgspec.DecodeError as worse:
        return _no_json(value, worse)
    message = f"The value is no JSON object: {lowered(error)}"
    return BadRecord(Reason.WRONG_TYPE, _with_hint(message, lookalikes.of_json(value)))


def _no_json(value: bytes, error: msgspec.DecodeError) -> BadRecord:
    message = f"The value is no JSON: {lowered(error)}"
    return BadRecord(Reason.INVALID_JSON, _with_hint(message, lookalikes.of_bytes(value)))


def _with_hint(message: str, hint: str | None) -> str:
    return f"{message}; {hint}." if hint else f"{message}."
