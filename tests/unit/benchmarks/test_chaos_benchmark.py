"""The judge of chaos sees what was lost, what differs and what should not be there."""

from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from benchmarks.chaos.chaos_page import write
from benchmarks.chaos.faults import FaultKind, endless, every_step
from benchmarks.chaos.long_run import LongRun
from benchmarks.chaos.traces import Traces, alike, compare
from benchmarks.machine import machine
from streams.testing.crash_points import POINTS

UNDISTURBED = Traces(
    [b"row a", b"row b"],
    {"recommend/e1": {"score": 0.5}, "ctr/e2": {"items": [1]}, "forecast/a": {"windows": []}},
    0,
    [],
    frozenset({"events/0/7"}),
)


def without(*ids: str) -> dict[str, Any]:
    return {name: output for name, output in UNDISTURBED.outputs.items() if name not in ids}


def test_an_equal_run_holds_and_its_repeats_are_counted():
    verdict = compare(UNDISTURBED, UNDISTURBED._replace(repeats=3))
    assert verdict.holds
    assert verdict.repeats == 3


@pytest.mark.parametrize(
    ("disturbed", "found"),
    [
        (UNDISTURBED._replace(outputs=without("recommend/e1")), {"unanswered": 1}),
        (UNDISTURBED._replace(outputs=without("ctr/e2", "recommend/e1")), {"unanswered": 2}),
        (UNDISTURBED._replace(outputs=without("forecast/a")), {"lost": 1}),
        (UNDISTURBED._replace(dead_letters=frozenset()), {"lost": 1}),
        (UNDISTURBED._replace(features=[b"row a", b"row c"]), {"differing_features": 2}),
        (
            UNDISTURBED._replace(outputs={**UNDISTURBED.outputs, "recommend/e1": {"score": 0.6}}),
            {"differing_duplicates": 1},
        ),
        (UNDISTURBED._replace(differing_repeats=["ctr/e2"]), {"differing_duplicates": 1}),
        (UNDISTURBED._replace(outputs={**UNDISTURBED.outputs, "recommend/e9": {}}), {"unexpected": 1}),
        (UNDISTURBED._replace(dead_letters=UNDISTURBED.dead_letters | {"events/0/8"}), {"unexpected": 1}),
    ],
)
def test_every_difference_is_seen_and_named(disturbed: Traces, found: dict[str, int]):
    verdict = compare(UNDISTURBED, disturbed)
    assert not verdict.holds
    seen = {name: count for name, count in msgspec.structs.asdict(verdict).items() if count}
    assert seen == found


def test_numbers_are_alike_to_the_last_bits_of_a_batch():
    assert alike({"a": [0.5, None]}, {"a": [0.50005, None]})
    assert not alike({"a": [0.5]}, {"a": [0.5002]})
    assert not alike([1], [1, 2])
    assert not alike({"a": 1}, {"b": 1})


def test_a_round_strikes_at_every_step_and_freezes_once():
    faults = every_step(Random(1))
    assert {fault.step for fault in faults if fault.kind is FaultKind.CRASH} == POINTS.keys()
    assert sum(fault.kind is FaultKind.FREEZE for fault in faults) == 1
    assert every_step(Random(1)) == faults


def test_without_the_model_nothing_is_said_of_alerts():
    alerts = {**UNDISTURBED.outputs, "demand.alerts/a/open/1": {"score": 3.0}}
    undisturbed = UNDISTURBED._replace(outputs=alerts)
    assert not compare(undisturbed, UNDISTURBED).holds
    assert compare(undisturbed, UNDISTURBED, without_model=True).holds


def test_rounds_go_on_with_blows_at_moments():
    faults = endless(Random(1), ("kafka", "redis"))
    assert {next(faults).kind for _ in range(30)} == set(FaultKind)


def test_the_page_tells_the_worst(tmp_path: Path):
    verdict = compare(UNDISTURBED, UNDISTURBED._replace(outputs=without("recommend/e1"), repeats=5))
    found = LongRun(
        **msgspec.structs.asdict(verdict),
        command="bench",
        machine=machine(),
        records=900,
        kills=12,
        by_step={"kill -9 at a step: written": 12},
        replays=2,
        seconds=90.0,
    )
    page = write(found, tmp_path).read_text()
    assert not found.holds
    assert "| triggers and impressions unanswered | 1 |" in page
    assert "| kill -9 at a step: written | 12 |" in page
