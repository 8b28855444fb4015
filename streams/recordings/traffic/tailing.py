"""`headrace tail`: a topic's records as JSON lines."""

from base64 import b64encode
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from streams.recordings.traffic.listening import KafkaRecord


class TailedRecord(Struct, frozen=True):
    """One line of `tail`; a value that is no JSON stands in `value_base64`."""

    key: str | None
    timestamp: int
    partition: int
    offset: int
    headers: dict[str, str]
    value: Raw | UnsetType | None = UNSET
    value_base64: str | UnsetType = UNSET


_encode: Final = msgspec.json.Encoder().encode


def to_line(record: KafkaRecord) -> bytes:
    """The record as one line, without the line's end."""
    value, value_base64 = _value_of(record.value)
    return _encode(
        TailedRecord(
            key=None if record.key is None else record.key.decode("utf-8", "replace"),
            timestamp=record.timestamp,
            partition=record.partition,
            offset=record.offset,
            headers={name: (value or b"").decode("utf-8", "replace") for name, value in record.headers},
            value=value,
            value_base64=value_base64,
        )
    )


def _value_of(value: bytes | None) -> tuple[Raw | UnsetType | None, str | UnsetType]:
    if value is None:
        return None, UNSET
    text = _json_on_one_line(value)
    return (Raw(text), UNSET) if text else (UNSET, b64encode(value).decode())


def _json_on_one_line(value: bytes) -> bytes:
    """The value without line breaks between its tokens; nothing when it is no JSON."""
    try:
        value.decode()
        msgspec.json.decode(value, type=Raw)
        return msgspec.json.format(value, indent=-1) if b"\n" in value or b"\r" in value else value
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return b""
