"""Write a recorded stream: JSON Lines, plain, gzip or zstd by the file's ending."""

import gzip
from base64 import b64encode
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, cast

import msgspec
import zstandard
from msgspec import Raw

from streams.errors import UsageError
from streams.recordings.reading import Line, Record

_NULL: Final = Raw(b"null")
_encode: Final = msgspec.json.Encoder().encode
_check_json: Final = msgspec.json.Decoder(Raw).decode


class RecordingWriter:
    """Writes records to a file, each value byte for byte; the same records give the same file.

    Use as a context manager. Anything already at `path` is replaced.

    Raises:
        UsageError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._raw = path.open("wb")
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error
        self._file = _compressed(self._raw, path.suffix)
        self.records = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, record: Record, *, trusted: bool = False) -> None:
        """Append one record; `trusted` spares the check that the value is JSON on one line."""
        self._file.write(_encode(_line(record, trusted)) + b"\n")
        self.records += 1

    def close(self) -> None:
        """Write what is buffered and close the file."""
        self._file.close()
        self._raw.close()


def _compressed(raw: BinaryIO, suffix: str) -> BinaryIO:
    if suffix == ".gz":  # without name and time, so that equal records give equal bytes
        return cast(BinaryIO, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6))
    if suffix == ".zst":
        return cast(BinaryIO, zstandard.ZstdCompressor(level=6).stream_writer(raw))
    return raw


def _line(record: Record, trusted: bool) -> Line:
    line = Line(record.topic, record.key, record.timestamp)
    value = record.value
    if value is None:
        line.value = _NULL
    elif trusted or _is_json_on_one_line(value):
        line.value = Raw(value)
    else:
        line.value_base64 = b64encode(value).decode()
    if record.key is not None and not _is_text(record.key):
        line.key, line.key_base64 = None, b64encode(record.key.encode("utf-8", "surrogateescape")).decode()
    if record.headers:
        named = dict(record.headers)
        line.headers = named if len(named) == len(record.headers) else list(record.headers)
    return line


def _is_json_on_one_line(value: bytes) -> bool:
    if value == b"null" or b"\n" in value or b"\r" in value or value.strip() != value or value == b"":
        return False
    try:
        value.decode()
        _check_json(value)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return False
    return True


def _is_text(key: str) -> bool:
    return key.isascii() or not any("\ud800" <= c <= "\udfff" for c in key)
