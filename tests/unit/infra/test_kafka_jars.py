"""Kafka's jars are downloaded whole or not at all."""

import hashlib
import re
from pathlib import Path

import pytest

from headrace.errors import StackError
from infra.local import kafka_jars
from infra.local.kafka_jars import VERSION


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / ".cache" / "headrace"


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Two small jars instead of Kafka's: name and content."""
    jars = {"a-1.jar": "one", "b-2.jar": "two"}
    sums = {name: hashlib.sha256(content.encode()).hexdigest() for name, content in jars.items()}
    monkeypatch.setattr(kafka_jars, "_tested", lambda: sums)
    return jars


def laid(folder: Path, jars: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in jars.items():
        (folder / name).write_text(content)
    return folder


def test_the_list_names_every_jar_with_its_digest() -> None:
    sums = kafka_jars._tested()
    assert f"kafka_2.13-{VERSION}.jar" in sums
    assert f"kafka-clients-{VERSION}.jar" in sums
    assert "log4j-slf4j-impl-2.25.3.jar" in sums
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in sums.values())


def test_a_jar_that_was_changed_is_missing_or_is_one_too_many_is_wrong(tmp_path: Path, tested: dict[str, str]) -> None:
    assert kafka_jars.wrong_jars(laid(tmp_path, tested)) == []
    (tmp_path / "c-3.jar").write_text("nobody's")
    (tmp_path / "a-1.jar").write_text("other")
    (tmp_path / "b-2.jar").unlink()
    assert kafka_jars.wrong_jars(tmp_path) == ["a-1.jar", "b-2.jar", "c-3.jar"]


def test_what_was_downloaded_and_is_another_file_is_deleted_and_never_run(
    cache: Path, tested: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_jars, "_fetch", lambda partial, _: laid(partial / "jars", tested | {"b-2.jar": "evil"}))
    notes: list[str] = []
    with pytest.raises(StackError, match=r"deleted again: b-2\.jar is not the file that was tested"):
        kafka_jars.kafka_jars(notes.append)
    assert len(notes) == 1  # to try again would be to ask the same stranger
    assert [path.name for path in cache.iterdir()] == ["kafka.lock"]


def test_jars_that_were_changed_since_are_fetched_again(
    cache: Path, tested: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = laid(cache / f"kafka-{VERSION}", tested | {"a-1.jar": "changed"})
    monkeypatch.setattr(kafka_jars, "_fetch", lambda partial, _: laid(partial / "jars", tested))
    notes: list[str] = []
    assert kafka_jars.kafka_jars(notes.append) == folder
    assert notes[0] == "a-1.jar is not the jar that was tested: fetching Kafka again"
    assert (folder / "a-1.jar").read_text() == "one"


def test_jars_that_are_there_are_used_without_a_network(cache: Path, tested: dict[str, str]) -> None:
    folder = laid(cache / f"kafka-{VERSION}", tested)
    notes: list[str] = []
    assert kafka_jars.kafka_jars(notes.append) == folder
    assert notes == []


def test_without_a_network_the_error_says_what_to_do_and_no_jars_are_taken_for_complete(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    notes: list[str] = []
    with pytest.raises(StackError, match="check the network and try again, or set HEADRACE_KAFKA"):
        kafka_jars.kafka_jars(notes.append)
    assert len(notes) == 3
    assert not (cache / f"kafka-{VERSION}").exists()
