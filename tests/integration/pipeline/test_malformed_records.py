"""Malformed records by the hundred: each is a dead letter with its reason, and good events go through between them."""

from benchmarks.malformed.running import refuse
from streams.testing import Client
from streams.testing.plugin import StartWorker


def test_each_is_a_dead_letter_and_good_events_are_answered(headrace_worker: StartWorker, headrace_client: Client):
    headrace_worker()
    refusals = refuse(3_000, seed=11, settings=headrace_client.settings)
    assert refusals.holds, refusals
