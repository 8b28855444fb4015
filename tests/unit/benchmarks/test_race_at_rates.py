"""The race's pure parts: rates, medians and ratios of one run, another checkout's worker, another partitioner."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.machine import Machine
from benchmarks.race import feeding
from benchmarks.race.against import BEFORE, worker_of
from benchmarks.race.at_rates import SINGLE_RATE, latency_at, rates_of, ratio, worker_cpu
from benchmarks.race.contestants import CONTESTANTS
from benchmarks.race.contestants.answering import inputs
from benchmarks.race.feeding import feed, tick_s
from benchmarks.race.measuring import Backlog, SteadyLoad
from benchmarks.race.race import Race, Raced
from benchmarks.race.race_page import summary, write
from benchmarks.race.workload import Size, events
from headrace.errors import UsageError
from headrace.partitioning import partition_of
from headrace.recording.reading import Record


def load(p99: float, cpu: float, rate: float = 50.0) -> SteadyLoad:
    return SteadyLoad(rate, 9, {"p50": p99 / 2, "p95": p99, "p99": p99}, {"worker": cpu}, 1.0)


def backlog(cpu: float, rekeyed: int = 0) -> Backlog:
    return Backlog(10, 1.0, 10.0, 9, {"worker": cpu}, {"worker": 100}, {}, rekeyed)


def raced(title: str, *cpus: float, rekeyed: int = 0) -> Raced:
    return Raced(title, 10.0, [backlog(cpu, rekeyed) for cpu in cpus])


def found() -> Race:
    contestants = {
        "headrace": raced("Headrace, one worker", 0.1, 0.2, 0.6),
        "crc32": raced("Headrace, one worker, CRC32 producer", 0.3, rekeyed=7),
        "handwritten": raced("hand-written loop", 0.2, 0.2, 0.2),
        BEFORE: raced("Headrace of the other checkout, one worker", 0.2, 0.4, 0.3),
    }
    null = {"headrace": raced("Headrace, one worker", 0.05), BEFORE: raced("Headrace of the other checkout", 0.1)}
    at_rates = {
        "headrace": {"50": [load(10, 4.0), load(30, 6.0)], "1000": [load(60, 0.2, 1000), load(100, 0.2, 1000)]},
        "handwritten": {"50": [load(20, 2.0), load(20, 2.0)], "1000": [load(40, 0.1, 1000), load(100, 0.1, 1000)]},
        BEFORE: {"50": [load(20, 8.0), load(20, 8.0)], "1000": [load(40, 0.1, 1000), load(100, 0.1, 1000)]},
    }
    computer = Machine("a processor", 2, 24.0, "Linux", "3.11", {})
    return Race("a command", computer, 1, Size(), contestants, null, {}, {}, at_rates)


def test_rates_are_read_once_each_and_in_order():
    assert rates_of("2000, 1000,1000") == [1000, 2000]


@pytest.mark.parametrize("text", ["", "0", "fast", "1000,", "1000000", "-5,1000"])
def test_a_rate_that_cannot_be_sent_is_refused_in_one_line(text: str):
    with pytest.raises(UsageError, match="--rates") as caught:
        rates_of(text)
    assert "\n" not in str(caught.value)


def test_at_a_low_rate_no_two_events_come_due_together():
    assert tick_s(SINGLE_RATE) * SINGLE_RATE <= 0.5
    assert tick_s(1_000) > tick_s(SINGLE_RATE)


def test_latency_by_rate_is_the_median_of_the_rounds_in_order_of_rates():
    by_rate = latency_at(found().at_rates)
    assert list(by_rate) == ["50", "1000"]
    assert by_rate["1000"]["headrace"] == {"p50": 40.0, "p99": 80.0}


def test_a_ratio_of_rates_is_of_rounds_not_of_medians():
    mine, its = [load(10, 1), load(90, 3), load(20, 1)], [load(10, 1), load(30, 1), load(80, 1)]
    assert ratio(mine, its, lambda one: one.latency_ms["p99"]) == 1.0
    assert worker_cpu(mine) == 1.0


def test_cpu_against_another_is_of_turns_of_one_round():
    assert raced("own", 0.1, 0.2, 0.6).cpu_against(raced("other", 0.2, 0.4, 0.3)) == 0.5


def test_the_summary_has_latency_by_rate_and_the_workers_cpu():
    printed = json.loads(json.dumps(summary(found())))
    assert printed["latency_ms_at"]["1000"]["handwritten"] == {"p50": 35.0, "p99": 70.0}
    assert printed["worker_cpu_s_per_1000_events"] == {
        "trained": {"headrace": 0.2, "crc32": 0.3, "handwritten": 0.2, BEFORE: 0.3},
        "null": {"headrace": 0.05, BEFORE: 0.1},
        "single_event": {"headrace": 5.0, "handwritten": 2.0, BEFORE: 8.0},
    }


def test_the_page_holds_rates_cpu_and_the_crc32_producer_against_the_others(tmp_path: Path):
    page = write(found(), tmp_path).read_text()
    assert "| 1,000 | Headrace, one worker | 40 | 80 | 1.25 x | 1 |" in page
    assert "| Headrace of the other checkout, one worker | 0.300 (0.50 x) | 0.100 (0.50 x) | 8.000 (0.62 x) |" in page
    assert "partition: 7 of 10." in page


def test_the_page_of_contestants_without_rates_has_no_table_of_them(tmp_path: Path):
    race = found()
    race.at_rates = {}
    page = write(race, tmp_path).read_text()
    assert "Latency at the same rates" not in page
    assert "| hand-written loop | 0.200 (1.00 x) | – | – |" in page


@pytest.mark.parametrize(
    ("package", "module", "setting"),
    [("headrace_cli", "headrace_cli", "HEADRACE_PIPELINE"), ("streams/cli", "streams.cli", "HEADRACE_ROAD")],
)
def test_another_checkout_runs_its_own_code_by_its_own_python(tmp_path: Path, package: str, module: str, setting: str):
    (tmp_path / package).mkdir(parents=True)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    before = worker_of(tmp_path)
    python = str(tmp_path / ".venv" / "bin" / "python")
    assert before.command == (python, "-m", module, "worker", "--processes", "1")
    assert (before.folder, before.pipelines) == (tmp_path, setting)


def test_a_checkout_without_an_environment_or_a_worker_is_refused_in_one_line(tmp_path: Path):
    with pytest.raises(UsageError, match="run scripts/bootstrap"):
        worker_of(tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    with pytest.raises(UsageError, match="give the root of a checkout"):
        worker_of(tmp_path)


class NoBroker:
    """Notes what a producer is given: a broker's part is the integration tests'."""

    chosen: Counter[int]

    def __init__(self, _: dict[str, Any]) -> None:
        NoBroker.chosen = Counter()

    def produce(self, topic: str, value: bytes, key: bytes, partition: int, *, timestamp: int) -> None:
        NoBroker.chosen[partition] += 1

    def poll(self, _: float) -> None: ...

    def flush(self, _: float) -> int:
        return 0


def test_partitions_are_murmur2s_or_left_to_librdkafkas_default(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feeding, "Producer", NoBroker)
    stream: list[Record] = list(events(Size(events=60, shoppers=20, items=30), 1))
    feed("nowhere", 4, stream)
    assert NoBroker.chosen == Counter(partition_of(record.key or "", 4) for record in stream)
    feed("nowhere", None, stream)
    assert NoBroker.chosen == {-1: 60}
    assert "partitioner" not in feeding._CONFIG  # else it were not the default one


def test_only_the_crc32_contestant_has_another_producer():
    assert [name for name, one in CONTESTANTS.items() if one.crc32] == ["crc32"]
    assert CONTESTANTS["crc32"].command == CONTESTANTS["headrace"].command


def test_contestants_send_no_tensor_of_nothing_for_triton_refuses_its_shape():
    sent = inputs({"now": np.ones(2, np.int64), "kept_category": np.zeros(0, np.int64)})
    assert [tensor.name() for tensor in sent] == ["now"]
