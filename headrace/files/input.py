"""Files that users bring: compressed or not, text, tables. What is wrong with one is told by file and line."""

import codecs
import csv
import gzip
import io
import lzma
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

import zstandard

from headrace.errors import UsageError

_CHUNK: Final = 1 << 16
_LATIN: Final = "headrace-latin"


class Table(NamedTuple):
    """A header, and rows of as many fields, each with the number of the line on which it begins."""

    header: list[str]
    rows: Iterator[tuple[int, list[str]]]


@contextmanager
def open_input(path: Path) -> Generator[BinaryIO]:
    """A file's bytes, decompressed by its ending: `.gz`, `.xz`, `.zst`.

    Raises:
        UsageError: it cannot be read, or is damaged or cut off.
    """
    try:
        with _open(path) as file:
            yield file
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError) as error:
        raise UsageError(f"cannot read {path} to its end: {error}; it is damaged or cut off") from error


def binary_lines(path: Path) -> Iterator[bytes]:
    """A file's lines with their ends, a byte-order mark left out.

    Raises:
        UsageError: as `open_input`.
    """
    with open_input(path) as file:
        for number, line in enumerate(file):
            yield line if number else line.removeprefix(codecs.BOM_UTF8)


def text_lines(path: Path, *, latin: bool = False) -> Iterator[str]:
    """A file's lines with their ends, as UTF-8.

    Args:
        latin: bytes that are no UTF-8 are read as Windows' western code page.

    Raises:
        UsageError: as `open_input`, or a line is no UTF-8.
    """
    for number, line in enumerate(binary_lines(path), 1):
        try:
            yield line.decode("utf-8", _LATIN if latin else "strict")
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}, line {number}: not UTF-8; save it as UTF-8") from error


def read_table(path: Path, *, delimiter: str = ",", quotes: bool = True, latin: bool = False) -> Table:
    """A file of delimited rows under a header; empty lines are left out.

    Raises:
        UsageError: as `text_lines`; the file is empty, a quote is never closed, or a row has more fields than the
            header or fewer. Where the rows are read, for what is wrong with them.
    """
    rows = csv_rows(path, delimiter=delimiter, quotes=quotes, latin=latin)
    _, header = next(rows, (0, []))
    if not header:
        raise UsageError(f"{path}: the file is empty; its first line must name the columns")
    return Table([name.strip() for name in header], _of_width(path, rows, len(header), delimiter))


def _of_width(
    path: Path, rows: Iterator[tuple[int, list[str]]], width: int, delimiter: str
) -> Iterator[tuple[int, list[str]]]:
    for line, fields in rows:
        if len(fields) != width:
            quote = f'; a text that holds a "{delimiter}" must stand in quotes' if len(fields) > width else ""
            raise UsageError(f"{path}, line {line}: {len(fields)} fields, the header has {width}{quote}")
        yield line, fields


def csv_rows(
    path: Path, *, delimiter: str = ",", quotes: bool = True, latin: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Rows as they stand, whatever their width, each with the number of the line on which it begins.

    Raises:
        UsageError: as `text_lines`, or a quote is never closed.
    """
    quoting = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    rows = csv.reader(text_lines(path, latin=latin), delimiter=delimiter, quoting=quoting, strict=True)
    line = 1
    while True:
        try:
            fields = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise UsageError(f"{path}, line {line}: {_complaint(str(error))}") from error
        if fields:
            yield line, fields
        line = rows.line_num + 1


def _complaint(message: str) -> str:
    if "unexpected end of data" in message or "field larger" in message:
        return "a quote is opened and not closed"
    return message


def _open(path: Path) -> BinaryIO:
    match path.suffix:
        case ".gz":
            return cast(BinaryIO, gzip.open(path, "rb"))
        case ".xz":
            return cast(BinaryIO, lzma.open(path, "rb"))
        case ".zst":
            return cast(BinaryIO, io.BufferedReader(_Zstandard(path), 1 << 20))
        case _:
            return path.open("rb", buffering=1 << 20)


class _Zstandard(io.RawIOBase):
    """A `.zst` file's content. The library's own reader takes a file that was cut off for a shorter one."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        while not self._left:
            block = self._file.read(_CHUNK)
            if not block:
                if self._frame is not None:
                    raise EOFError("the compressed data end before their end marker")
                return 0
            self._left = memoryview(self._decompress(block))
        some = self._left[: len(buffer)]
        buffer[: len(some)] = some
        self._left = self._left[len(some) :]
        return len(some)

    def _decompress(self, block: bytes) -> bytes:
        found = b""
        while block:
            frame = self._frame or zstandard.ZstdDecompressor().decompressobj()
            found += frame.decompress(block)
            self._frame, block = (None, frame.unused_data) if frame.eof else (frame, b"")
        return found


def _as_latin(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_LATIN, _as_latin)
