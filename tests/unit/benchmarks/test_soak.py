"""A long run's page tells what has grown, and what has not."""

from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.machine import machine
from benchmarks.race.feeding import as_due
from benchmarks.soak.latency import Minute
from benchmarks.soak.measuring import Soaked, grown, summed
from benchmarks.soak.samples import Growth, Sample, growth
from benchmarks.soak.shop import Shop, events
from benchmarks.soak.soak_page import write
from headrace.recording.reading import Record


def test_what_stays_the_same_has_not_grown():
    assert growth({float(n): 5.0 for n in range(20)}) == Growth(0, 0, 0)


def test_growth_is_the_gain_of_a_straight_line_over_its_beginning():
    assert growth({100.0 + n: 200.0 + n for n in range(21)}) == Growth(0.1, 0.1, 0.1)


def test_a_slow_minute_makes_no_growth_and_hides_none():
    steady = {10.0 * n: 200.0 + n for n in range(180)}
    slow = {seconds: 9_000.0 if 1_500 < seconds < 1_680 else value for seconds, value in steady.items()}
    assert growth(slow).share == pytest.approx(growth(steady).share, rel=0.1)


@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_the_interval_holds_what_looks_like_growth_and_is_noise_that_lasts(memory: float):
    random, within = np.random.default_rng(1), 0
    for _ in range(200):
        level, values = 0.0, dict[float, float]()
        for n in range(180):
            level = memory * level + random.normal()
            values[10.0 * n] = 100 + level
        found = growth(values)
        within += found.low <= 0 <= found.high
    assert within > 0.9 * 200


def test_the_page_tells_of_a_worker_that_leaks_once_it_has_settled(tmp_path: Path):
    memory = [{"worker": 300 + max(0.0, 20.0 * (n - 10)), "kafka": 900.0 + n} for n in range(25)]
    samples = [Sample(60.0 * n, 0, {}, held, 40 + n, 12, 5_000) for n, held in enumerate(memory)]
    minutes = [Minute(n, 100, 900.0 if n < 9 else 20.0, 80.0) for n in range(25)]
    found = soaked(samples, minutes)
    assert found.grown == ["worker, MB"]
    assert found.growth["worker, file descriptors"].share == pytest.approx(14 / 50, abs=1e-2)
    assert found.growth["rows in the store"] == found.growth["p50, ms"] == found.growth["p99, ms"] == Growth(0, 0, 0)
    page = write(found, tmp_path).read_text()
    assert "| worker, MB | 300 | 580 | +" in page
    assert "**It grew**: worker, MB." in page
    assert "| p50, ms | 20 | 20 | +0.0% (+0.0% to +0.0%) |" in page
    assert (tmp_path / "soak.svg").exists()


def test_a_load_that_ended_at_once_has_a_page_that_says_so(tmp_path: Path):
    samples = [Sample(10.0 * n, 90_000, {}, {"worker": 300.0}, 40, 12) for n in range(1, 4)]
    page = write(soaked(samples, [Minute(0, 100, 900.0, 4_000.0)], kept_up=False), tmp_path).read_text()
    assert "did not keep up" in page
    assert "| worker, MB | 300 | 300 | unknown: too short |" in page


def soaked(samples: list[Sample], minutes: list[Minute], *, kept_up: bool = True) -> Soaked:
    gained = summed(samples, minutes)
    return Soaked("bench", machine(), 9, 9, 70, 100.0, kept_up, samples, minutes, gained, grown(gained))


def test_a_page_is_there_before_the_load_has_ended(tmp_path: Path):
    samples = [Sample(10.0 * n, 0, {}, {"worker": 300.0}, 40, 12) for n in range(1, 100)]
    page = write(soaked(samples, []), tmp_path).read_text()
    assert "grew by nothing that this run can tell from nothing" in page


def test_of_all_item_ids_some_are_of_no_catalogue_and_no_context_comes_twice():
    shop = Shop(500, 300)
    some = [msgspec.json.decode(record.value) for record in islice(events(shop, 1), 4_000)]
    ids = [item_id for event in some for item_id in event.get("items", [event.get("item_id")])]
    unknown = [item_id for item_id in ids if item_id.startswith("bot-")]
    assert 0.04 < len(unknown) / len(ids) < 0.06
    assert len(set(unknown)) == len(unknown)
    assert len({event["context"]["visit"] for event in some}) == len(some)
    assert [record.value for record in islice(events(shop, 1), 50)] == [msgspec.json.encode(one) for one in some[:50]]


def test_a_steady_load_sends_everything_once_in_order():
    records = [Record("events", "k", n, b"") for n in range(500)]
    parts = list(as_due(iter(records), rate=20_000))
    assert [record for part in parts for record in part] == records
