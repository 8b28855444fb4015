"""Read a recorded stream: JSON Lines, plain, gzip or zstd, one record a line."""

import gzip
import io
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, Final, NamedTuple, cast

import msgspec
import zstandard
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from streams.errors import UsageError
from streams.topics import Topic


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


class Line(Struct, omit_defaults=True):
    """A record as a line holds it: `value` word for word, or `value_base64` where it is no JSON on one line."""

    topic: str
    key: str | None
    timestamp: Annotated[int, Meta(ge=0, le=253_402_300_799_999)]
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
    with open_recording(path) as lines:
        for number, line in enumerate(_lines(path, lines), 1):
            if line.isspace():
                continue
            try:
                record = parse_line(line, timestamp)
            except (msgspec.DecodeError, UnicodeDecodeError, Base64Error, RecursionError) as error:
                raise UsageError(f"{path}, line {number}: {error}; every line must be one record") from error
            timestamp = record.timestamp
            yield record


def parse_line(line: bytes, previous_timestamp: int = 0) -> Record:
    """Turn one line into its record.

    Raises:
        msgspec.DecodeError: the line is neither a record nor a JSON object.
    """
    try:
        parsed = _decode_line(line)
    except msgspec.ValidationError:
        return _parse_bare(line, previous_timestamp)
    if parsed.value_base64:
        value = b64decode(parsed.value_base64, validate=True)
    elif parsed.value is UNSET:
        raise msgspec.ValidationError("Object missing required field `value`")
    else:
        value = bytes(parsed.value)
        value = None if value == b"null" else value
    key = parsed.key
    if parsed.key_base64:
        key = b64decode(parsed.key_base64, validate=True).decode("utf-8", "surrogateescape")
    headers = parsed.headers
    pairs = () if not headers else tuple(headers.items() if isinstance(headers, dict) else headers)
    return Record(parsed.topic, key, parsed.timestamp, value, pairs)


def _parse_bare(line: bytes, previous_timestamp: int) -> Record:
    event = _decode_bare(line)
    if event.topic is not UNSET:
        _decode_line(line)  # the full form's own error says what is wrong with it
    key, timestamp = _value_of(event.user_id), _value_of(event.timestamp)
    return Record(
        Topic.EVENTS.value,
        key if isinstance(key, str) else None,
        timestamp if type(timestamp) is int and timestamp >= 0 else previous_timestamp,
        line.strip(),
    )


def _value_of(raw: Raw | UnsetType) -> object:
    return None if isinstance(raw, UnsetType) else msgspec.json.decode(raw)


def open_recording(path: Path) -> BinaryIO:
    """Open a recorded stream for reading by its ending.

    Raises:
        UsageError: there is no such file, or it cannot be opened.
    """
    try:
        if path.suffix == ".gz":
            return cast(BinaryIO, gzip.open(path, "rb"))
        if path.suffix == ".zst":
            stream = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True)
            return cast(BinaryIO, io.BufferedReader(stream, 1 << 20))  # pyright: ignore[reportArgumentType]
        return path.open("rb", buffering=1 << 20)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def _lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    try:
        yield from file
    except (OSError, EOFError, zstandard.ZstdError) as error:
        raise UsageError(f"cannot read {path} to its end: {error}") from error
