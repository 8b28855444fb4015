"""Read a recorded stream: JSON Lines, plain, gzip or zstd, one record a line."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from headrace.errors import UsageError
from headrace.files.input import binary_lines
from headrace.topics import Topic

#: The end of the year 9999.
LAST_MS: Final = 253_402_300_799_999


class Record(NamedTuple):
    """One record of a stream.

    Attributes:
        topic: where it belongs.
        key: the record's key; bytes that are no UTF-8 are held as `surrogateescape` holds them.
        timestamp: ms since 1970 UTC; event time in streams that Headrace writes.
        value: the value's own bytes, or None for a tombstone.
        headers: name and text, in order.
    """

    topic: str
    key: str | None
    timestamp: int
    value: bytes | None
    headers: tuple[tuple[str, str], ...] = ()


_Ms = Annotated[int, Meta(ge=0, le=LAST_MS)]


class Line(Struct, omit_defaults=True):
    """A record as a line holds it: `value` word for word, or in base64 where it is no JSON on one line."""

    topic: str
    key: str | None
    timestamp: _Ms | float
    value: Raw | UnsetType = UNSET
    value_base64: str | UnsetType = UNSET
    key_base64: str | UnsetType = UNSET
    headers: dict[str, str] | list[tuple[str, str]] = {}


class _BareEvent(Struct):
    """What a line without `topic` tells of its record; of any type, since a bad event is a record too."""

    topic: Raw | UnsetType = UNSET
    user_id: Raw | UnsetType = UNSET
    timestamp: Raw | UnsetType = UNSET


_decode_line: Final = msgspec.json.Decoder(Line).decode
_decode_bare: Final = msgspec.json.Decoder(_BareEvent).decode


def read_recording(path: Path) -> Iterator[Record]:
    """Yield the records of a recorded stream, in the file's order.

    A line without `topic` is the value of an `events` record: its key is the value's `user_id`, its timestamp
    the value's `timestamp`, or that of the record before it where the value has none.

    Raises:
        UsageError: the file cannot be read, or a line is no record; names file and line.
    """
    timestamp = 0
    for number, line in read_lines(path):
        try:
            record = parse_line(line, timestamp)
        except UsageError as error:
            raise UsageError(f"{path}, line {number}: {error}; every line must be one record") from error
        timestamp = record.timestamp
        yield record


def parse_line(line: bytes, previous_timestamp: int = 0) -> Record:
    """Turn one line into its record.

    Raises:
        UsageError: the line is neither a record nor a JSON object; without the line's place.
    """
    try:
        try:
            return _record(_decode_line(line))
        except msgspec.ValidationError:
            return _bare_record(line, previous_timestamp)
    except (msgspec.DecodeError, UnicodeDecodeError, Base64Error, RecursionError) as error:
        raise UsageError(str(error)) from error


def _record(line: Line) -> Record:
    headers = line.headers
    pairs = () if not headers else tuple(headers.items() if isinstance(headers, dict) else headers)
    return Record(line.topic, _key(line), _whole(line.timestamp), _value(line), pairs)


def _whole(timestamp: int | float) -> int:
    """A time without a fraction, however it is written."""
    return timestamp if isinstance(timestamp, int) else msgspec.convert(timestamp, _Ms, strict=False)


def _key(line: Line) -> str | None:
    if isinstance(line.key_base64, str):
        return b64decode(line.key_base64, validate=True).decode("utf-8", "surrogateescape")
    return line.key


def _value(line: Line) -> bytes | None:
    if isinstance(line.value_base64, str):
        return b64decode(line.value_base64, validate=True)
    if isinstance(line.value, UnsetType):
        raise msgspec.ValidationError("Object missing required field `value`")
    value = bytes(line.value)
    return None if value == b"null" else value


def _bare_record(line: bytes, previous_timestamp: int) -> Record:
    event = _decode_bare(line)
    if event.topic is not UNSET:
        _record(_decode_line(line))  # the full form's own error says what is wrong with it
    key, timestamp = _any(event.user_id), _any(event.timestamp)
    if isinstance(timestamp, float) and timestamp.is_integer():
        timestamp = int(timestamp)
    return Record(
        Topic.EVENTS.value,
        key if isinstance(key, str) else None,
        timestamp if type(timestamp) is int and 0 <= timestamp <= LAST_MS else previous_timestamp,
        line.strip(),
    )


def _any(raw: Raw | UnsetType) -> object:
    return None if isinstance(raw, UnsetType) else msgspec.json.decode(raw)


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of each line that is not blank.

    Raises:
        UsageError: there is no such file, or it cannot be read to its end.
    """
    for number, line in enumerate(binary_lines(path), 1):
        if not line.isspace():
            yield number, line
