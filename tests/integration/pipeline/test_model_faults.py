"""Whatever a served version answers, every event is answered, none is dead-lettered and the worker goes on."""

import shutil
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from headrace.recording.reading import read_recording
from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.testing import Stack, event, item, raw
from streams.testing.plugin import StartWorker
from tests.trained_shop import TrainedShop
from trainer.publishing import repository
from trainer.publishing.publish import publish, rollback
from trainer.publishing.version_folder import whole_folder

FAULTY = '''
"""The trained version; for shoppers of certain times of the day it does what others do."""

import torch

from .trained import TritonPythonModel as Trained

FAILS, NO_LISTS, NAN, GHOSTS, SHORT, NO_ENCODER, RAGGED = range(901, 908)


class TritonPythonModel(Trained):
    def _score(self, asked):
        answer = super()._score(asked)
        if "unknown_block" in answer:
            return answer
        fault = (asked["now"] % 1000).tolist()
        rows = torch.tensor([one > 900 for one in fault])
        if FAILS in fault:
            raise ValueError("a shopper that this version cannot answer")
        if NO_LISTS in fault:
            del answer["rec_item"]
        if NAN in fault:
            answer["rec_score"][rows] = torch.nan
        if GHOSTS in fault:
            answer["rec_item"] = torch.randint(1, 2**62, answer["rec_item"].shape)
        if SHORT in fault:
            answer["reason_event"] = answer["reason_event"][:, :, :1].contiguous()
        if NO_ENCODER in fault:
            del answer["encoder"]
        if RAGGED in fault:
            answer["rec_score"] = torch.cat([answer["rec_score"], answer["rec_score"]])
        return answer
'''
FAULTS = range(901, 908)


@pytest.fixture
def settings(headrace_stack: Stack, headrace_group: str) -> Settings:
    return headrace_stack.settings(headrace_group)


@pytest.fixture
def faulty(settings: Settings, trained_shop: TrainedShop, tmp_path: Path) -> Generator[int]:
    """A version with faults, in two processes that each hold a context of their own, while the test runs."""
    model = tmp_path / "faulty"
    with whole_folder(model / "headrace") as folder:
        for source in (trained_shop.model / "headrace").iterdir():
            if not source.name.startswith(("manifest", "reference")):
                shutil.copyfile(source, folder / source.name)
        (folder / "model.py").rename(folder / "trained.py")
        (folder / "model.py").write_text(FAULTY)
        config = (folder / "config.pbtxt").read_text()
        (folder / "config.pbtxt").write_text(config.replace("count: 1, kind: KIND_AUTO", "count: 2, kind: KIND_CPU"))
    version = publish(model, settings)
    yield version
    rollback(settings)
    repository.remove_version(settings.models, "headrace", version)


def test_no_fault_of_a_version_is_an_events(
    faulty: int, trained_shop: TrainedShop, headrace_worker: StartWorker, replay, expect, headrace_client
):
    replay([record for record in read_recording(trained_shop.recording) if record.topic == Topic.ITEMS])
    worker = headrace_worker()
    stamp = time.time_ns()
    good, newcomer = f"good-{stamp}", f"newcomer-{stamp}"
    day = int(time.time()) // 86_400 * 86_400_000
    times = {f"fault-{fault}-{stamp}": day - 1_000 + fault for fault in FAULTS}
    try:
        replay([item(newcomer, title="Something new"), raw("items", "item-0004", None)])
        for user, timestamp in times.items():
            replay([event("view", user, item_id="item-0003", timestamp=timestamp)], wait=True)
        # Together with others: what fails on one costs no other its answer.
        together = [event("view", f"{good}-{n}", item_id="item-0003", timestamp=day) for n in range(60)]
        failing = event("view", f"again-{stamp}", item_id="item-0003", timestamp=day - 1_000 + 901)
        replay([*together[:30], failing, *together[30:]], wait=True)
        answers = expect("recommendations", count=len(times) + 61)
    finally:
        replay([item("item-0004", title="Back again"), raw("items", newcomer, None)], wait=True)
    by_user = {answer.key: answer.value for answer in answers}
    assert {by_user[user]["fallback"] for user in times} == {"model_unavailable"}
    assert by_user[f"again-{stamp}"]["fallback"] == "model_unavailable"
    rest = [value for user, value in by_user.items() if user.startswith(good)]
    assert [value["fallback"] for value in rest] == [None] * 60
    assert {value["model"]["version"] for value in rest} == {str(faulty)}
    for value in by_user.values():
        assert len(value["items"]) == 20
        assert "item-0004" not in {listed["item_id"] for listed in value["items"]}
    assert headrace_client.received(Topic.DEAD_LETTERS) == []
    assert worker.running
