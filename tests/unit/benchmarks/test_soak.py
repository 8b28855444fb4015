"""A long run's page tells what has grown, and what has not."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.machine import machine
from benchmarks.road.feeding import as_due
from benchmarks.soak.latency import Minute
from benchmarks.soak.measuring import Soaked, summed
from benchmarks.soak.report import write
from benchmarks.soak.samples import Growth, Sample, growth
from streams.recordings.reading import Record


def test_what_stays_the_same_has_not_grown():
    assert growth({0.0: 5.0, 10.0: 5.0, 20.0: 5.0}) == Growth(0, 0)


def test_growth_is_the_gain_of_a_straight_line_over_its_beginning():
    assert growth({100.0: 200.0, 110.0: 210.0, 120.0: 220.0}) == Growth(0.1, 0)


def test_growth_that_is_less_than_the_noise_is_within_its_margin():
    noise = np.random.default_rng(1).normal(0, 10, 200)
    found = growth({float(n): 100 + noise[n] + 0.005 * n for n in range(200)})
    assert abs(found.share - 0.01) < found.margin < 0.1


def test_the_page_tells_of_a_worker_that_leaks_once_it_has_settled(tmp_path: Path):
    memory = [{"worker": 300 + max(0.0, 20.0 * (n - 4)), "kafka": 900.0} for n in range(12)]
    samples = [Sample(60.0 * n, 0, {}, held, 40 + n, 12) for n, held in enumerate(memory)]
    minutes = [Minute(n, 100, 900.0 if n < 3 else 20.0, 80.0) for n in range(11)]
    grown = summed(samples, minutes)
    assert 0.4 < grown["worker, MB"].share < 0.6
    assert grown["worker, file descriptors"].share == pytest.approx(8 / 43, abs=1e-3)
    assert grown["kafka, MB"] == grown["worker, threads"] == grown["p50, ms"] == grown["p99, ms"] == Growth(0, 0)
    found = Soaked("bench", machine(), 70, 100.0, True, samples, minutes, grown)
    page = write(found, tmp_path).read_text()
    assert "| worker, MB | 300 | 440 | +" in page
    assert "| p50, ms | 20 | 20 | +0.0% ± 0.0% |" in page
    assert (tmp_path / "soak.svg").exists()


def test_a_steady_load_sends_everything_once_in_order():
    records = [Record("events", "k", n, b"") for n in range(500)]
    parts = list(as_due(iter(records), rate=20_000))
    assert [record for part in parts for record in part] == records
