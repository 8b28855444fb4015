"""`headrace status` where nothing answers: each server is named with what to do, exit 1."""

import json
import subprocess
import sys

import pytest

from headrace_cli import app
from headrace_cli.shell.command_line import run

EXTERNAL = {
    "HEADRACE_KAFKA": "127.0.0.1:1",
    "HEADRACE_REDIS": "redis://u:hush@127.0.0.1:2/1",
    "HEADRACE_TRITON": "[::1]:3",
}
_SILENT = """
import sys
from headrace_cli import app
from headrace_cli.shell.command_line import run
try:
    run(app, ["status"])
finally:
    assert "infra.local.stack" not in sys.modules
"""


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in EXTERNAL.items():
        monkeypatch.setenv(name, value)


def status(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, object]], str]:
    with pytest.raises(SystemExit) as ended:
        run(app, ["status", "--json"])
    printed = capsys.readouterr()
    return int(ended.value.code or 0), json.loads(printed.out.splitlines()[-1]), printed.err


@pytest.mark.usefixtures("nowhere")
def test_external_servers_are_asked_and_each_that_does_not_answer_is_named(capsys: pytest.CaptureFixture[str]):
    code, found, printed = status(capsys)
    assert code == 1
    assert {name: (part["state"], part["answers"]) for name, part in found.items()} == dict.fromkeys(
        ("kafka", "redis", "triton"), ("external", False)
    )
    assert len(printed.splitlines()) == 1
    for address, variable in (("127.0.0.1:1", "KAFKA"), ("127.0.0.1:2", "REDIS"), ("[::1]:3", "TRITON")):
        assert f"at {address} does not answer: start that server, or set HEADRACE_{variable}" in printed
    assert "hush" not in json.dumps(found) + printed


def test_a_local_stack_that_is_stopped_says_how_to_start_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    for name in EXTERNAL:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEADRACE_PORT_OFFSET", "39000")
    code, found, printed = status(capsys)
    assert code == 1
    assert {part["state"] for part in found.values()} == {"stopped"}
    assert printed.count("start it with `headrace up`") == 3


@pytest.mark.usefixtures("nowhere")
def test_the_local_stack_need_not_be_installed_where_every_server_is_run_elsewhere():
    done = subprocess.run([sys.executable, "-c", _SILENT], capture_output=True, text=True, check=False)
    assert (done.returncode, "AssertionError" in done.stderr) == (1, False)
    assert "Kafka at 127.0.0.1:1 does not answer" in done.stderr
