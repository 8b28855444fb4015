"""Workers and servers are killed and frozen while a recording is replayed, and nothing tells."""

from random import Random

import pytest

from benchmarks.chaos.fault_injector import FaultInjector
from benchmarks.chaos.faults import Fault, FaultKind, every_step
from benchmarks.chaos.servers import DURABLE, Servers
from benchmarks.chaos.traces import Traces, compare
from headrace.messages.ids import answer_id
from headrace.settings.model import Settings, load_settings
from streams.demo.shop import Shop
from streams.serving.shopper_scorer.fallback import MODEL_UNAVAILABLE
from streams.testing import Stack
from tests.trained_shop import TrainedShop

_LOADS = {"HEADRACE_CHUNK": "8"}
"""So small that there is something left after every fault."""


@pytest.fixture(scope="module")
def injector(
    headrace_stack: Stack, trained_shop: TrainedShop, tmp_path_factory: pytest.TempPathFactory
) -> FaultInjector:
    logs = tmp_path_factory.mktemp("storm")
    return FaultInjector(headrace_stack, trained_shop.recording, logs, _LOADS, print, Servers(load_settings()))


@pytest.fixture(scope="module")
def undisturbed(injector: FaultInjector) -> Traces:
    return injector.run_undisturbed()


def test_a_calm_run_answers_every_trigger(undisturbed: Traces, trained_shop: TrainedShop):
    triggers = {answer_id("recommend", event) for event in Shop(trained_shop.recording).answered(Settings().triggers)}
    assert triggers <= undisturbed.outputs.keys()


def test_a_worker_killed_at_every_step_leaves_no_trace(injector: FaultInjector, undisturbed: Traces):
    faults = every_step(Random(7))
    verdict = compare(undisturbed, injector.run_with_faults(iter(faults)))
    assert verdict.holds, verdict
    assert verdict.repeats > 0
    assert injector.kills.total() == len(faults)


@pytest.mark.parametrize("server", DURABLE)
def test_kafka_and_valkey_killed_leave_no_trace(injector: FaultInjector, undisturbed: Traces, server: str):
    # Whether anything is left when it is back depends on the machine: the worker is in the midst of it when it goes.
    verdict = compare(undisturbed, injector.run_with_faults(iter([Fault(FaultKind.AWAY, server=server)])))
    assert verdict.holds, verdict


def test_triton_killed_leaves_answers_that_say_so(injector: FaultInjector, undisturbed: Traces):
    traces = injector.run_with_faults(iter([Fault(FaultKind.AWAY, server="triton", seconds=1)]))
    fallbacks = sum(output["fallback"] == MODEL_UNAVAILABLE for output in traces.outputs.values())
    assert 0 < fallbacks < len(traces.outputs)
    verdict = compare(undisturbed, traces, without_model=True)
    assert verdict.holds, verdict
