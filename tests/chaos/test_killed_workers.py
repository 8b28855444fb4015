"""Workers are killed and frozen at every step of the road, and nothing tells."""

from pathlib import Path
from random import Random

from benchmarks.chaos.blows import every_step
from benchmarks.chaos.storm import Storm
from benchmarks.chaos.traces import compare
from streams.demo.shop import Shop
from streams.settings import Settings
from streams.testing import Stack
from tests.trained_shop import TrainedShop

_LOADS = {"HEADRACE_CHUNK": "8"}
"""So small that there is something left after every blow."""


def test_a_worker_killed_at_every_step_leaves_no_trace(
    headrace_stack: Stack, trained_shop: TrainedShop, tmp_path: Path
):
    storm = Storm(headrace_stack, trained_shop.recording, tmp_path, _LOADS, print)
    plain = storm.calm()
    triggers = {f"recommend/{event.event_id}" for event in Shop(trained_shop.recording).answered(Settings().triggers)}
    assert triggers <= plain.outputs.keys()
    blows = every_step(Random(7))
    verdict = compare(plain, storm.rage(iter(blows)))
    assert verdict.holds, verdict
    assert verdict.repeats > 0
    assert storm.kills.total() == len(blows)
