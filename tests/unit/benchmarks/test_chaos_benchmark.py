"""The judge of chaos sees what was lost, what differs and what should not be there."""

from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from benchmarks.chaos.blows import How, every_step, without_end
from benchmarks.chaos.long_run import Endured
from benchmarks.chaos.report import write
from benchmarks.chaos.traces import Traces, alike, compare
from benchmarks.machine import machine
from streams.testing.crash_points import POINTS

CALM = Traces(
    [b"row a", b"row b"],
    {"recommend/e1": {"score": 0.5}, "ctr/e2": {"items": [1]}, "forecast/a": {"windows": []}},
    0,
    [],
    frozenset({"events/0/7"}),
)


def without(*ids: str) -> dict[str, Any]:
    return {name: output for name, output in CALM.outputs.items() if name not in ids}


def test_an_equal_run_holds_and_its_repeats_are_counted():
    verdict = compare(CALM, CALM._replace(repeats=3))
    assert verdict.holds
    assert verdict.repeats == 3


@pytest.mark.parametrize(
    ("disturbed", "found"),
    [
        (CALM._replace(outputs=without("recommend/e1")), {"unanswered": 1}),
        (CALM._replace(outputs=without("ctr/e2", "recommend/e1")), {"unanswered": 2}),
        (CALM._replace(outputs=without("forecast/a")), {"lost": 1}),
        (CALM._replace(dead_letters=frozenset()), {"lost": 1}),
        (CALM._replace(features=[b"row a", b"row c"]), {"differing_features": 2}),
        (CALM._replace(outputs={**CALM.outputs, "recommend/e1": {"score": 0.6}}), {"differing_duplicates": 1}),
        (CALM._replace(differing_repeats=["ctr/e2"]), {"differing_duplicates": 1}),
        (CALM._replace(outputs={**CALM.outputs, "recommend/e9": {}}), {"unexpected": 1}),
        (CALM._replace(dead_letters=CALM.dead_letters | {"events/0/8"}), {"unexpected": 1}),
    ],
)
def test_every_difference_is_seen_and_named(disturbed: Traces, found: dict[str, int]):
    verdict = compare(CALM, disturbed)
    assert not verdict.holds
    seen = {name: count for name, count in msgspec.structs.asdict(verdict).items() if count}
    assert seen == found


def test_numbers_are_alike_to_the_last_bits_of_a_batch():
    assert alike({"a": [0.5, None]}, {"a": [0.50005, None]})
    assert not alike({"a": [0.5]}, {"a": [0.5002]})
    assert not alike([1], [1, 2])
    assert not alike({"a": 1}, {"b": 1})


def test_a_round_strikes_at_every_step_and_freezes_once():
    blows = every_step(Random(1))
    assert {blow.step for blow in blows if blow.how is How.CRASH} == POINTS.keys()
    assert sum(blow.how is How.FREEZE for blow in blows) == 1
    assert every_step(Random(1)) == blows


def test_without_the_model_nothing_is_said_of_alerts():
    alerts = {**CALM.outputs, "demand.alerts/a/open/1": {"score": 3.0}}
    calm = CALM._replace(outputs=alerts)
    assert not compare(calm, CALM).holds
    assert compare(calm, CALM, without_model=True).holds


def test_rounds_go_on_with_blows_at_moments():
    blows = without_end(Random(1), ("kafka", "redis"))
    assert {next(blows).how for _ in range(30)} == set(How)


def test_the_page_tells_the_worst(tmp_path: Path):
    verdict = compare(CALM, CALM._replace(outputs=without("recommend/e1"), repeats=5))
    found = Endured(
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
