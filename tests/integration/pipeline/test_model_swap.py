"""A version is published, and taken back, while shoppers are answered: none of them notices."""

from collections.abc import Generator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from threading import Event, Thread

from headrace.recording.reading import read_recording
from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.recordings.traffic.replaying import Replayer
from streams.testing import Client, Message, Stack, Worker
from tests.trained_shop import TrainedShop
from trainer.publishing import repository
from trainer.publishing.publish import publish, rollback

_SPEED = 3_000.0
"""Six days in nearly three minutes: more than the test needs; it stops as soon as it has seen enough."""


def test_no_answer_fails_and_each_names_the_version_that_made_it(
    headrace_stack: Stack, headrace_group: str, trained_shop: TrainedShop, tmp_path: Path
):
    settings = headrace_stack.settings(headrace_group)
    worker = Worker(headrace_stack.environment(headrace_group), tmp_path / "worker.log")
    with Client(settings) as client, _shoppers(settings, trained_shop.recording):
        before = repository.served_version(settings.models, "headrace")
        _expect_version(client, before)
        after = publish(trained_shop.model, settings)
        try:
            _expect_version(client, after)
        finally:
            assert rollback(settings) == before
        _expect_version(client, before, more=20)
        answers = client.received(Topic.RECOMMENDATIONS)
    assert worker.stop() == 0
    assert {answer.value["fallback"] for answer in answers} <= {None, "unknown_user"}
    assert {_version(answer) for answer in answers} == {str(before), str(after)}
    assert _version(max(answers, key=lambda answer: answer.timestamp)) == str(before)
    for model in ("headrace", "headrace_demand"):
        repository.remove_version(settings.models, model, after)


def _version(answer: Message) -> str:
    return answer.value["model"]["version"]


def _expect_version(client: Client, version: int | None, more: int = 1) -> None:
    """Wait for answers of a version beyond those that have come."""

    def is_of(answer: Message) -> bool:
        return _version(answer) == str(version)

    seen = len(client.received(Topic.RECOMMENDATIONS, is_of))
    client.expect(Topic.RECOMMENDATIONS, count=seen + more, where=is_of, within=60)


@contextmanager
def _shoppers(settings: Settings, recording: Path) -> Generator[None]:
    """A recording that goes on coming in until the end of the block."""
    enough = Event()

    def send() -> None:
        with Replayer(settings, speed=_SPEED) as replayer:
            replayer.send(takewhile(lambda _: not enough.is_set(), read_recording(recording)))

    shoppers = Thread(target=send)
    shoppers.start()
    try:
        yield
    finally:
        enough.set()
        shoppers.join()
