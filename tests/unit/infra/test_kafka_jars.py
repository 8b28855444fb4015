"""Kafka's jars are downloaded whole or not at all."""

from pathlib import Path

import pytest

from infra.local import kafka_jars
from infra.local.kafka_jars import VERSION
from streams.errors import StackError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / ".cache" / "headrace"


def test_jars_that_are_there_are_used_without_a_network(cache: Path) -> None:
    folder = cache / f"kafka-{VERSION}"
    folder.mkdir(parents=True)
    told: list[str] = []
    assert kafka_jars.kafka_jars(told.append) == folder
    assert told == []


def test_without_a_network_the_error_says_what_to_do_and_no_jars_are_taken_for_complete(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    told: list[str] = []
    with pytest.raises(StackError, match="check the network and try again, or set HEADRACE_KAFKA"):
        kafka_jars.kafka_jars(told.append)
    assert len(told) == 3
    assert not (cache / f"kafka-{VERSION}").exists()
