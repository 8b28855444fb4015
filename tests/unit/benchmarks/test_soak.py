"""A long run's page tells what has grown, and what has not."""

from pathlib import Path

import pytest

from benchmarks.machine import machine
from benchmarks.road.feeding import as_due
from benchmarks.soak.latency import Minute
from benchmarks.soak.measuring import Soaked, summed
from benchmarks.soak.report import write
from benchmarks.soak.samples import Sample, growth
from streams.recordings.reading import Record


def test_what_stays_the_same_has_not_grown():
    assert growth({0.0: 5.0, 10.0: 5.0, 20.0: 5.0}) == pytest.approx(0)


def test_growth_is_the_gain_of_a_straight_line_over_its_beginning():
    assert growth({100.0: 200.0, 110.0: 210.0, 120.0: 220.0}) == pytest.approx(0.1)


def test_the_page_tells_of_a_worker_that_leaks(tmp_path: Path):
    samples = [Sample(10.0 * n, 0, {}, {"worker": 300 + 20 * n, "kafka": 900}, 40 + n, 12) for n in range(8)]
    minutes = [Minute(n, 100, 20.0, 80.0) for n in range(6)]
    grown = summed(samples, minutes)
    assert grown["worker, MB"] == pytest.approx(60 / 380, abs=1e-3)
    assert grown["worker, file descriptors"] == pytest.approx(3 / 44, abs=1e-3)
    assert grown["kafka, MB"] == grown["worker, threads"] == grown["p99, ms"] == 0
    found = Soaked("bench", machine(), 70, 100.0, True, samples, minutes, grown)
    page = write(found, tmp_path).read_text()
    assert "| worker, MB | 380 | 440 | +15.8% |" in page
    assert (tmp_path / "soak.svg").exists()


def test_a_steady_load_sends_everything_once_in_order():
    records = [Record("events", "k", n, b"") for n in range(500)]
    parts = list(as_due(iter(records), rate=20_000))
    assert [record for part in parts for record in part] == records
