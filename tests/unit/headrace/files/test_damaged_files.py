"""Whatever became of a file that a user brings: it is read, or refused in one line that names it. Never a traceback."""

import io
from pathlib import Path

import openpyxl
import pytest

from headrace.errors import UsageError
from headrace.files.input import binary_lines, read_table
from headrace.recording.reading import read_recording
from headrace.settings.model import Settings
from streams.recordings.importing.online_retail import import_online_retail
from streams.recordings.validation.validate import validate_recording
from streams.scenarios.anomaly.files import score_file
from tests.damaged_files import PACKERS, read_damaged

SERIES = b"timestamp,value,place\n" + b"".join(b'2026-01-%02d,%d.5,"a, b"\n' % (day, day) for day in range(1, 29))
RETAIL = b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n" + b"".join(
    b'5363%02d,85123A,"WHITE, \xc2\xa3",6,%d/12/2010 8:26,2.55,17850,UK\n' % (day, day) for day in range(1, 29)
)
STREAM = b"".join(
    b'{"topic": "events", "key": "u%d", "timestamp": %d, "value": {"type": "view", "user_id": "u%d", "price": 1.5}}\n'
    % (n, n, n)
    for n in range(30)
)


def test_a_series_is_scored_or_refused(tmp_path: Path):
    def read(path: Path) -> None:
        score_file(path, tmp_path / "scored", lambda *_: None)

    assert read_damaged(read, SERIES, tmp_path, "series.csv", ("", ".gz", ".xz", ".zst")) > 150


def test_an_export_is_imported_or_refused(tmp_path: Path):
    def read(path: Path) -> None:
        done = import_online_retail(path, tmp_path / "out.jsonl")
        list(read_recording(tmp_path / "out.jsonl"))
        assert done.purchases + done.returns + done.fees + done.adjustments + done.unreadable == done.lines

    assert read_damaged(read, RETAIL, tmp_path, "retail.csv", ("", ".xz")) > 80


def test_a_workbook_is_imported_or_refused(tmp_path: Path):
    book, good = openpyxl.Workbook(), io.BytesIO()
    for line in RETAIL.decode().splitlines():
        book.active.append(line.replace('"WHITE, £"', "WHITE").split(","))
    book.save(good)

    def read(path: Path) -> None:
        import_online_retail(path.rename(path.with_suffix(".xlsx")), tmp_path / "out.jsonl")

    assert read_damaged(read, good.getvalue(), tmp_path, "retail", ("",)) > 80


def test_a_recorded_stream_is_read_or_refused(tmp_path: Path):
    packers, mine = ("", ".gz", ".zst"), Settings()
    assert read_damaged(lambda path: list(read_recording(path)), STREAM, tmp_path, "s.jsonl", packers) > 150
    packed = read_damaged(
        lambda path: validate_recording(path, now_ms=10**12, settings=mine), STREAM, tmp_path, "s.jsonl", packers
    )
    assert packed > 40  # of damaged lines it tells, and goes on


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_a_file_that_was_cut_off_is_never_taken_for_a_shorter_one(tmp_path: Path, suffix: str):
    lines = [b"%d\n" % n for n in range(20_000)]
    packed = PACKERS[suffix](b"".join(lines))
    path = tmp_path / f"lines{suffix}"
    path.write_bytes(packed)
    assert list(binary_lines(path)) == lines
    path.write_bytes(packed + packed)  # as `cat` joins them
    assert list(binary_lines(path)) == lines * 2
    for left in (len(packed) // 2, len(packed) - 5, 3):
        path.write_bytes(packed[:left])
        with pytest.raises(UsageError, match=rf"cannot read .*lines\{suffix} to its end"):
            list(binary_lines(path))


def test_rows_are_known_by_the_line_on_which_they_begin(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text('a,b\n"one\ntwo",2\n\n3,4\n5\n')
    header, rows = read_table(path)
    assert header == ["a", "b"]
    assert [next(rows), next(rows)] == [(2, ["one\ntwo", "2"]), (5, ["3", "4"])]
    with pytest.raises(UsageError, match=r"t\.csv, line 6: 1 fields, the header has 2$"):
        next(rows)
