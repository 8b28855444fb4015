"""`headrace demand score`: files in, files out, and one clear line where a file is wrong."""

import csv
import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from headrace.errors import UsageError
from headrace_cli import app
from streams.scenarios.anomaly.files import Scored, score_file
from streams.scenarios.anomaly.stamps import Stamps


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def run(source: Path) -> tuple[Scored, list[dict[str, str]]]:
    target = source.with_suffix(".out")
    found = score_file(source, target, lambda *_: None)
    with target.open(newline="") as rows:
        return found, list(csv.DictReader(rows))


def test_every_row_comes_back_as_it_was_with_a_score(tmp_path: Path):
    random = np.random.default_rng(0)
    values = [*(f"{v:.3f}" for v in random.normal(size=300)), "25.0"]
    lines = [f"2026-01-{1 + i // 24:02d} {i % 24:02d}:00:00,{v}" for i, v in enumerate(values)]
    found, rows = run(write(tmp_path / "series.csv", "timestamp,value", *lines))
    assert [f"{row['timestamp']},{row['value']}" for row in rows] == lines
    scores = [float(row["anomaly_score"]) for row in rows]
    assert all(0 <= score <= 1 for score in scores)
    assert scores.index(max(scores)) == 300
    assert found.rows == 301
    assert found.highest == pytest.approx(max(scores))


def test_columns_are_found_by_name_and_numbers_are_seconds_or_milliseconds(tmp_path: Path):
    _, rows = run(write(tmp_path / "a.csv", "place, value,timestamp", "x,1.5,1767225600", "y,2,1767225600000"))
    assert [(row["timestamp"], row["value"]) for row in rows] == [("1767225600", "1.5"), ("1767225600000", "2")]


@pytest.mark.parametrize(
    "stamps", [("20140228", "20140301"), ("201402282359", "201403010001"), ("2014-02-28", "2014-03-01")]
)
def test_a_date_without_dashes_is_a_date_and_no_number_of_seconds(stamps: tuple[str, str]):
    read = Stamps()
    before, after = (datetime.fromtimestamp(read.parse(stamp) / 1000, UTC) for stamp in stamps)
    assert (before.year, before.month, before.day) == (2014, 2, 28)
    assert (after.year, after.month, after.day) == (2014, 3, 1)


def test_a_number_of_seconds_that_looks_like_a_date_is_a_number_among_numbers():
    read = Stamps()
    assert [read.parse(text) for text in ("0", "20140228", "1767225600000", "1767225600000000")] == [
        0,
        20_140_228_000,
        1_767_225_600_000,
        1_767_225_600_000,
    ]


def test_a_file_of_another_system_is_read(tmp_path: Path):
    path = tmp_path / "windows.csv"
    path.write_bytes(b"\xef\xbb\xbftimestamp,value\r\n2026-01-01,1\r\n\r\n2026-01-02,2\r\n")
    assert run(path)[0].rows == 2
    with gzip.open(tmp_path / "packed.csv.gz", "wb") as packed:
        packed.write(path.read_bytes())
    assert run(tmp_path / "packed.csv.gz")[0].rows == 2


def test_oddities_are_scored_counted_and_the_first_is_named(tmp_path: Path):
    lines = ("2026-01-01,1", "2026-01-02,nan", "2026-01-02,3", "2026-01-01,4", "2026-01-05,", "2026-01-06,NaN")
    found, rows = run(write(tmp_path / "odd.csv", "timestamp,value", *lines))
    assert found == Scored(rows=6, repeated=2, no_number=3, first_oddity=3, highest=0.0)
    assert [row["anomaly_score"] for row in rows] == ["0"] * 6


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ((), "the file is empty"),
        (("time,value", "2026-01-01,1"), "line 1: no column 'timestamp'"),
        (("timestamp,reading", "2026-01-01,1"), "line 1: no column 'value'"),
        (("timestamp,value", "2026-01-01,1", "soon,2"), "line 3: timestamp 'soon' is neither a date such as"),
        (("timestamp,value", "2026-01-01,many"), "line 2: value 'many' is no number"),
        (("timestamp,value", "2026-01-01"), "line 2: 1 fields, the header has 2"),
        (("timestamp,value", "inf,1"), "line 2: timestamp 'inf' is no time"),
        (("timestamp,value", "nan,1"), "line 2: timestamp 'nan' is no time"),
        (("timestamp,value", "1e300,1"), "line 2: timestamp '1e300' is no time"),
        (("timestamp,value", "2026-01-01,12,5"), "line 2: 3 fields, the header has 2; a text that holds a"),
        (("timestamp,value", '2026-01-01,"12,5"'), "line 2: value '12,5' is no number"),
        (("timestamp,value", "2026-01-01,1_000"), "line 2: value '1_000' is no number"),
        (("timestamp,value", "2026-01-01,inf"), "line 2: value 'inf' is not finite"),
        (("timestamp,value", "2026-01-01,1e400"), "line 2: value '1e400' is not finite"),
        (("timestamp,value", "2026-01-01,1", '2026-01-02,"2', "2026-01-03,3"), "line 3: a quote is opened and not"),
        (("timestamp,value", "2026-01-01,1", "1767225600,2"), "line 3: timestamp '1767225600' is a number, and those"),
        (("timestamp,value", "20140228,1", "1393632000,2"), "line 3: timestamp '1393632000' is a number, and those"),
    ],
)
def test_a_file_that_is_wrong_names_the_line(tmp_path: Path, lines: tuple[str, ...], complaint: str):
    with pytest.raises(UsageError, match=complaint):
        run(write(tmp_path / "wrong.csv", *lines))


def test_the_command_warns_in_one_line_each_and_prints_json(tmp_path: Path):
    source = write(tmp_path / "s.csv", "timestamp,value", "2026-01-01,1", "2026-01-01,nan")
    done = CliRunner().invoke(
        app, ["demand", "score", "--input", str(source), "--output", str(tmp_path / "o.csv"), "--json"]
    )
    assert done.exit_code == 0
    assert '"rows":2' in done.stdout
    assert "1 time stamps are not after the one before" in done.stderr
    assert "line 3" in done.stderr


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path):
    with pytest.raises(UsageError, match="No such file"):
        score_file(tmp_path / "none.csv", tmp_path / "o.csv", lambda *_: None)
