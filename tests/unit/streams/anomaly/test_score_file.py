"""`headrace demand score`: files in, files out, and one clear line where a file is wrong."""

import csv
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from streams.anomaly.files import Scored, score_file
from streams.cli import app
from streams.errors import UsageError


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


def test_oddities_are_scored_counted_and_the_first_is_named(tmp_path: Path):
    lines = ("2026-01-01,1", "2026-01-02,nan", "2026-01-02,3", "2026-01-01,4", "2026-01-05,", "2026-01-06,inf")
    found, rows = run(write(tmp_path / "odd.csv", "timestamp,value", *lines))
    assert found == Scored(rows=6, repeated=2, no_number=3, first_oddity=3, highest=0.0)
    assert [row["anomaly_score"] for row in rows] == ["0"] * 6


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ((), "line 1: no column 'timestamp'"),
        (("timestamp,reading", "2026-01-01,1"), "line 1: no column 'value'"),
        (("timestamp,value", "2026-01-01,1", "soon,2"), "line 3: timestamp 'soon' is neither a date nor a number"),
        (("timestamp,value", "2026-01-01,many"), "line 2: value 'many' is no number"),
        (("timestamp,value", "2026-01-01"), "line 2: 1 columns where the header has 2"),
        (("timestamp,value", "inf,1"), "line 2: timestamp 'inf' is no time"),
        (("timestamp,value", "nan,1"), "line 2: timestamp 'nan' is no time"),
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
