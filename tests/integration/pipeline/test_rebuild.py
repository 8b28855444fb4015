"""A group is refolded from the topics behind the back of the one that answers, and takes over from it."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from kafka import KafkaProducer

from headrace.partitioning import partition_of
from headrace.recording.reading import Record, read_recording
from headrace.settings.model import Settings
from headrace.topics import ANSWERS, Topic
from streams.kafka.admin.broker import Broker
from streams.recordings.traffic.replaying import Replayer, Sent
from streams.recordings.traffic.waiting import await_answers
from streams.testing import Client, Stack, Worker
from streams.testing.crash_points import command
from streams.testing.stack import fresh_group
from tests.trained_shop import TrainedShop, headrace

_PASSES = 60
_OF_EACH = 12
_NOW_MS = time.time_ns() // 1_000_000
_LOADS = {"HEADRACE_CHUNK": "8", "HEADRACE_TRENDING": "off"}


class Shop:
    """A recording on the topics, a group that answers it, and one that is to be rebuilt of it."""

    def __init__(self, stack: Stack, recording: Path, folder: Path) -> None:
        self.old, self.new = (stack.settings(fresh_group(stack)) for _ in range(2))
        self._stack, self._folder = stack, folder
        self._workers = 0
        records = list(read_recording(recording))
        with Replayer(self.old) as replayer:
            self._sent: Sent = replayer.send([*records, *_requests(self.old.group)])
        # Before everything else in event time: what is sent on comes in another order each time, and moves no clock.
        _send_astray(self.old, min(record.timestamp for record in records if record.topic == Topic.EVENTS))

    def worker(self, whose: Settings, **more: object) -> Worker:
        """One that was started; `more` as `Worker` takes it."""
        self._workers += 1
        rebuild_of = {"HEADRACE_REBUILD_OF": self.old.group} if whose is self.new else {}
        variables = {**self._stack.environment(whose.group), **_LOADS, **rebuild_of}
        return Worker(variables, self._folder / f"{self._workers}.log", **more)  # pyright: ignore[reportArgumentType]

    def strike(self, whose: Settings) -> None:
        """Let a worker answer a part, and crash between its answers and its write."""
        worker = self.worker(whose, command=command("emitted", _PASSES))
        deadline = time.monotonic() + 120
        while worker.running and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not worker.running

    def finish(self, whose: Settings) -> None:
        """Let a worker answer all there is, close every window and end."""
        worker = self.worker(whose)
        with Broker(whose.kafka_connection) as broker, Replayer(whose) as replayer:
            await_answers(broker, replayer, self._sent, whose)
        assert worker.stop() == 0

    def rebuild(self, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, object]:
        """Run the command; what it says."""
        for name, value in _LOADS.items():
            monkeypatch.setenv(name, value)
        counted = headrace(self._stack, "rebuild", self.new.group, "--json", group=self.old.group)
        return json.loads(counted.splitlines()[-1])

    def features(self, whose: Settings) -> bytes:
        """A dump of a group's rows."""
        out = self._folder / f"{whose.group}.jsonl"
        headrace(self._stack, "features", "dump", "--out", out, group=whose.group)
        return out.read_bytes()


def _requests(name: str) -> list[Record]:
    """Score requests, which leave no trace in any row."""
    value = {"user_id": "asks", "timestamp": _NOW_MS, "items": ["item-0001"]}
    return [
        Record(Topic.SCORE_REQUESTS, "asks", _NOW_MS, json.dumps(value | {"request_id": f"{name}-{n}"}).encode())
        for n in range(_OF_EACH)
    ]


def _send_astray(settings: Settings, time_ms: int) -> None:
    """Events whose producer has chosen the partition by a rule of its own."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka_address)
    for n in range(_OF_EACH):
        value = {"event_id": f"{settings.group}-{n}", "type": "view", "user_id": f"astray-{n}"}
        value |= {"timestamp": time_ms, "item_id": "item-0001"}
        owner = partition_of(f"astray-{n}", settings.partitions)
        producer.send(Topic.EVENTS, json.dumps(value).encode(), partition=(owner + 1) % settings.partitions)
    producer.close()


@pytest.fixture
def shop(headrace_stack: Stack, trained_shop: TrainedShop, tmp_path: Path) -> Shop:
    return Shop(headrace_stack, trained_shop.recording, tmp_path)


@pytest.fixture
def client(shop: Shop) -> Iterator[Client]:
    with Client(shop.old, (*ANSWERS, Topic.DEAD_LETTERS, Topic.FEATURE_LOG)) as opened:
        yield opened


def test_a_rebuilt_group_holds_what_the_other_holds_and_has_said_nothing(
    shop: Shop, client: Client, monkeypatch: pytest.MonkeyPatch
):
    shop.finish(shop.old)
    counted = _counted(client)
    assert counted[Topic.RECOMMENDATIONS] > _OF_EACH
    assert sum(m.value.get("request_id") is not None for m in client.received(Topic.CTR_SCORES)) == _OF_EACH
    assert counted[Topic.DEMAND_FORECASTS] > 0
    done = shop.rebuild(monkeypatch)
    assert done["group"] == shop.new.group
    assert shop.features(shop.new) != b""
    shop.finish(shop.new)
    assert shop.features(shop.new) == shop.features(shop.old)
    assert _counted(client) == counted


def test_what_the_other_group_has_left_unsaid_the_rebuilt_one_says(
    shop: Shop, client: Client, monkeypatch: pytest.MonkeyPatch
):
    shop.strike(shop.old)
    shop.rebuild(monkeypatch)
    shop.finish(shop.new)
    by_both = _ids(client)
    shop.finish(shop.old)
    by_all = _ids(client)
    assert by_both.keys() == by_all.keys()
    assert shop.features(shop.new) == shop.features(shop.old)
    # No more than the batches that were in flight: said, and not written.
    assert by_both.total() - len(by_both) < len(by_both) / 4


def _counted(client: Client) -> Counter[str]:
    return Counter({topic: len(client.received(topic)) for topic in (*ANSWERS, Topic.FEATURE_LOG)})


def _ids(client: Client) -> Counter[str]:
    return Counter(message.value["id"] for topic in ANSWERS for message in client.received(topic))
