"""Batches are invisible (rule 13): one recording, cut and shared out differently, leaves the same behind."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest

from headrace.messages.ids import answer_id
from headrace.settings.model import Settings
from headrace.topics import ANSWERS
from streams.demo.shop import Shop
from streams.testing import Client, Message, Stack, Worker
from streams.testing.stack import fresh_group
from tests.trained_shop import TrainedShop, headrace

#: Fast enough for a test, slow enough that a second worker joins before the end.
JOINING_SPEED = 20_000.0


class Run(NamedTuple):
    """What one replay left behind."""

    features: bytes
    outputs: dict[str, dict[str, Any]]


Replay = Callable[..., Run]


@pytest.fixture(scope="module")
def run(headrace_stack: Stack, trained_shop: TrainedShop, tmp_path_factory: pytest.TempPathFactory) -> Replay:
    """Replay the shop into a group of its own, which shares no feature and no internal topic with the others."""
    folder = tmp_path_factory.mktemp("runs")

    def replay(name: str, *, joined: bool = False, **environment: str) -> Run:
        group = fresh_group(headrace_stack)
        variables = {**headrace_stack.environment(group), "HEADRACE_TRENDING": "off", **environment}
        workers: list[Worker] = []
        with Client(headrace_stack.settings(group), ANSWERS) as client, ExitStack() as whatever_happens:

            def start() -> None:
                log = folder / f"{name}-{len(workers)}.log"
                workers.append(Worker(variables, log))
                whatever_happens.callback(workers[-1].stop)

            start()
            joiner = Thread(target=start)
            if joined:
                joiner.start()
                whatever_happens.callback(joiner.join)
            client.replay(trained_shop.recording, wait=True, speed=JOINING_SPEED if joined else None)
            if joined:
                joiner.join()
            outputs = _once(m for topic in ANSWERS for m in client.received(topic))
            assert len(workers) == 1 + joined
            assert [worker.stop() for worker in workers] == [0] * len(workers)
        out = folder / f"{name}.jsonl"
        headrace(headrace_stack, "features", "dump", "--out", out, group=group)
        return Run(out.read_bytes(), outputs)

    return replay


@pytest.fixture(scope="module")
def plain(run: Replay) -> Run:
    """The run that the others are held against."""
    return run("plain", HEADRACE_CHUNK="1000")


def test_every_trigger_and_impression_is_answered_by_the_model(plain: Run, trained_shop: TrainedShop):
    shop = Shop(trained_shop.recording)
    triggers = {answer_id("recommend", e) for e in shop.answered(Settings().triggers)}
    impressions = {answer_id("ctr", e) for e in shop.impressions()}
    assert triggers | impressions <= plain.outputs.keys()
    assert {output["fallback"] for output in plain.outputs.values()} <= {None, "unknown_user"}
    assert {output["model"]["version"] for output in plain.outputs.values()} == {trained_shop.version}


def test_batches_of_seven_leave_what_batches_of_a_thousand_leave(run: Replay, plain: Run):
    _assert_equal(run("sevens", HEADRACE_CHUNK="7"), plain)


def test_a_worker_that_joins_midway_leaves_no_trace(run: Replay, plain: Run):
    _assert_equal(run("joined", joined=True), plain)


def test_features_folded_offline_equal_the_online_store(
    headrace_stack: Stack, plain: Run, trained_shop: TrainedShop, tmp_path: Path
):
    out = tmp_path / "offline.jsonl"
    headrace(headrace_stack, "features", "fold", "--stream", trained_shop.recording, "--out", out)
    assert out.read_bytes() == plain.features


def _assert_equal(one: Run, other: Run) -> None:
    assert one.features == other.features
    assert one.outputs.keys() == other.outputs.keys()
    for output_id, output in one.outputs.items():
        _assert_alike(output, other.outputs[output_id], output_id)


def _assert_alike(one: Any, other: Any, where: str) -> None:
    """Equal, numbers to 1e-4: the size of a batch changes the last bits of a matrix product."""
    if isinstance(one, float) and isinstance(other, float):
        assert one == pytest.approx(other, abs=1e-4), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        if "reasons" in one:
            _assert_same_reasons(one["reasons"], other["reasons"], where)
        for name, value in one.items():
            if name == "reasons":
                continue
            _assert_alike(value, other[name], f"{where}.{name}")
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for place, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            _assert_alike(mine, theirs, f"{where}[{place}]")
    else:
        assert one == other, where


def _once(messages: Iterable[Message]) -> dict[str, dict[str, Any]]:
    """Outputs by id, the first of each; a repeat must say the same."""
    outputs: dict[str, dict[str, Any]] = {}
    for message in messages:
        first = outputs.setdefault(message.value["id"], message.value)
        assert first.keys() == message.value.keys()
    return outputs


def _assert_same_reasons(one: list[Any], other: list[Any], where: str) -> None:
    """The same reasons, but for those whose weights are to 1e-4 at what decides whether or which of two is told."""
    mine, theirs = ({reason["text"]: reason["weight"] for reason in reasons} for reasons in (one, other))
    for text in mine.keys() & theirs.keys():
        assert mine[text] == pytest.approx(theirs[text], abs=1e-4), where
    for present, missed in ((mine, theirs), (theirs, mine)):
        of_events = [reason["weight"] for reason in (*one, *other) if reason.get("item_id")]
        edges = [0.0, max(of_events, default=0.0) / 2, *(missed[text] for text in missed.keys() - present.keys())]
        for text in present.keys() - missed.keys():
            assert any(abs(present[text] - edge) < 2e-4 for edge in edges), (where, mine, theirs)
