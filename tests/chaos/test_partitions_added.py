"""Topics get more partitions: the group that knows them as they were stops, and one rebuilt of it goes on."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient

from headrace.connections.kafka import KafkaConnection
from headrace.errors import StackError
from headrace.recording.reading import Record, read_recording
from headrace.settings.model import Settings, load_settings
from headrace.topics import Topic
from infra.local.stack import down, up
from streams.demo.shop import Shop
from streams.recordings.traffic.listening import KafkaRecord, Listener
from streams.testing import Client, Stack, Worker
from tests.trained_shop import TrainedShop, headrace

_BEFORE, _AFTER = 3, 5
_OLD, _NEW = "few", "more"


@pytest.fixture
def stack(headrace_stack: Stack, tmp_path: Path) -> Iterator[Stack]:
    """Servers of the test's own, but for the model's: nobody else's topics are to change."""
    own = {"home": tmp_path / "home", "port_offset": load_settings().port_offset + 1_700, "partitions": _BEFORE}
    settings = load_settings().model_copy(update={**own, "triton": headrace_stack.triton})
    addresses = up(settings, lambda _: None)
    yield Stack(addresses.kafka, addresses.redis, addresses.triton)
    down(settings, lambda _: None)


def test_a_rebuilt_group_goes_on_where_partitions_were_added(stack: Stack, trained_shop: TrainedShop, tmp_path: Path):
    records = list(read_recording(trained_shop.recording))
    half = len(records) // 2
    _answer(stack, _OLD, records[:half], tmp_path / "old.log")
    _add_partitions(stack)
    with pytest.raises(StackError, match=r"events has 5 partitions(.|\n)*headrace rebuild"):
        Worker(stack.environment(_OLD), tmp_path / "stopped.log")
    headrace(stack, "rebuild", _NEW, group=_OLD)
    _answer(stack, _NEW, records[half:], tmp_path / "new.log", HEADRACE_REBUILD_OF=_OLD)
    recommended = Counter(json.loads(record.value)["event_id"] for record in _recommendations(stack))
    assert recommended == {e.event_id: 1 for e in Shop(trained_shop.recording).answered(Settings().triggers)}
    assert _events_of_shoppers(stack, tmp_path) == _events_in(records)


def _answer(stack: Stack, group: str, records: list[Record], log: Path, **variables: str) -> None:
    worker = Worker({**stack.environment(group), **variables}, log)
    with Client(stack.settings(group)) as client:
        client.replay(records, wait=True)
    assert worker.stop() == 0


def _recommendations(stack: Stack) -> list[KafkaRecord]:
    with Listener(KafkaConnection(stack.kafka), [Topic.RECOMMENDATIONS], from_beginning=True) as listener:
        return listener.until_now()


def _add_partitions(stack: Stack) -> None:
    admin = KafkaAdminClient(bootstrap_servers=stack.kafka)
    admin.create_partitions(dict.fromkeys(map(str, Topic), _AFTER))
    admin.close()


def _events_of_shoppers(stack: Stack, folder: Path) -> Counter[str]:
    """Events by shopper, as the new group has counted them."""
    headrace(stack, "features", "dump", "--out", folder / "new.jsonl", group=_NEW)
    rows = map(json.loads, (folder / "new.jsonl").read_text().splitlines())
    return Counter({row["key"]: sum(row["features"]["counts"].values()) for row in rows if row["view"] == "shopper"})


def _events_in(records: list[Record]) -> Counter[str]:
    return Counter(json.loads(record.value or b"")["user_id"] for record in records if record.topic == Topic.EVENTS)
