"""Write a recorded stream: JSON Lines, plain, gzip or zstd by the file's ending."""

import gzip
from base64 import b64encode
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, cast

import msgspec
import zstandard
from msgspec import Raw

from headrace.files.atomic import output_file
from headrace.recording.reading import Line, Record

_NULL: Final = Raw(b"null")
_encode: Final = msgspec.json.Encoder().encode
_check_json: Final = msgspec.json.Decoder(Raw).decode


class RecordingWriter:
    """Writes records to a file, each value byte for byte; the same records give the same file.

    Use as a context manager. What is already at `path` is replaced at the block's end, and kept if the block fails.

    Raises:
        UsageError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._opened = ExitStack()
        raw = self._opened.enter_context(output_file(path))
        self._file = self._opened.enter_context(_compressed(raw, path.suffix))
        self.records = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    def write(self, record: Record, *, trusted: bool = False) -> None:
        """Append one record; `trusted` spares the check that the value is JSON on one line."""
        self._file.write(_encode(_line(record, trusted)) + b"\n")
        self.records += 1


@contextmanager
def _compressed(raw: BinaryIO, suffix: str) -> Generator[BinaryIO]:
    """Compress what is written, and end what the compression has begun."""
    if suffix == ".gz":  # without name and time, so that equal records give equal bytes
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as file:
            yield cast(BinaryIO, file)
    elif suffix == ".zst":
        with zstandard.ZstdCompressor(level=6).stream_writer(raw, closefd=False) as file:
            yield cast(BinaryIO, file)
    else:
        yield raw


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
