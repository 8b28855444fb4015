"""A variable that no setting reads, or that holds nothing, is one line that names the nearest setting."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.errors import SettingsError
from headrace.settings.environment import check_environment
from headrace.settings.model import load_settings
from headrace_cli import main

KNOWN = ["HEADRACE_GROUP", "HEADRACE_KAFKA", "HEADRACE_KAFKA_PASSWORD", "HEADRACE_METRICS_PORT", "HEADRACE_PORT_OFFSET"]
FAUST = Path(sys.executable).parent / "faust"


def refusal(**variables: str) -> str:
    with pytest.raises(SettingsError) as refused:
        check_environment(variables, KNOWN)
    return str(refused.value)


@pytest.mark.parametrize(
    ("written", "nearest"),
    [
        ("HEADRACE_KAFAK", "HEADRACE_KAFKA"),
        ("HEADRACE_KAFKA_PASWORD", "HEADRACE_KAFKA_PASSWORD"),
        ("HEADRACE_PORTS_OFFSET", "HEADRACE_PORT_OFFSET"),
        ("headrace_grupo", "HEADRACE_GROUP"),
        ("HEADRACE_GROUP_ID", "HEADRACE_GROUP"),
        ("HEADRACE_ZZZ", ""),  # whatever it is, one is named
    ],
)
def test_what_is_no_setting_is_one_line_with_the_nearest(written: str, nearest: str):
    line = refusal(**{written: "sesame"})
    assert line.startswith(f"{written} is not a setting: the nearest is {nearest or 'HEADRACE_'}")
    assert nearest == "" or f"nearest is {nearest} (" in line
    assert "\n" not in line


@pytest.mark.parametrize("nothing", ["", " ", "\t"])
def test_what_holds_nothing_is_refused(nothing: str):
    assert refusal(HEADRACE_GROUP=nothing).startswith("HEADRACE_GROUP holds nothing: give it a value or unset it")


def test_several_are_told_in_one_line():
    line = refusal(HEADRACE_KAFAK="a", HEADRACE_GROPU="b", HEADRACE_METRICS_PORT="")
    assert [line.count(name) for name in ("HEADRACE_KAFAK ", "HEADRACE_GROPU ", "HEADRACE_METRICS_PORT ")] == [1, 1, 1]
    assert "\n" not in line


def test_no_value_is_shown():
    assert "sesame" not in refusal(HEADRACE_KAFKA_PASWORD="sesame", HEADRACE_GROUP="")


def test_variables_of_others_are_theirs():
    of_services = {
        "HEADRACE_SERVICE_HOST": "10.0.0.1",
        "HEADRACE_SERVICE_PORT": "80",
        "HEADRACE_WEB_SERVICE_PORT_HTTP": "80",
        "HEADRACE_PORT": "tcp://10.0.0.1:80",
        "HEADRACE_WEB_PORT_80_TCP": "tcp://10.0.0.1:80",
        "HEADRACE_WEB_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    check_environment({"PATH": "", "KAFKA": "", "MY_HEADRACE_KAFAK": "a", **of_services}, KNOWN)
    assert "HEADRACE_PORT is not a setting" in refusal(HEADRACE_PORT="6000")


def test_every_setting_may_be_set(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HEADRACE_CHUNK", "7")
    assert load_settings().chunk == 7
    monkeypatch.setenv("HEADRACE_CHUNCK", "8")
    with pytest.raises(SettingsError, match="HEADRACE_CHUNCK is not a setting: the nearest is HEADRACE_CHUNK "):
        load_settings()


@pytest.mark.parametrize("command", [["status"], ["validate", "nowhere"], ["simulate", "--out", "nowhere/x.jsonl"]])
@pytest.mark.parametrize(("name", "value"), [("HEADRACE_KAFAK", "x"), ("HEADRACE_KAFKA", "")])
def test_every_command_refuses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str], name: str, value: str
):
    """Commands that read no setting too: whoever misspells one now will miss it later."""
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["headrace", *command])
    with pytest.raises(SystemExit) as left:
        main()
    printed = capsys.readouterr()
    assert (left.value.code, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert printed.err.startswith(f"headrace: {name} ")


def test_help_is_given_all_the_same(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HEADRACE_KAFAK", "x")
    monkeypatch.setattr(sys, "argv", ["headrace", "status", "--help"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("HEADRACE_KAFAK", "sesame", "headrace: HEADRACE_KAFAK is not a setting: the nearest is HEADRACE_KAFKA "),
        ("HEADRACE_CHUNK", "x", "headrace: HEADRACE_CHUNK='x' is not allowed: it must be "),
    ],
)
def test_a_worker_that_faust_starts_refuses_in_one_line(name: str, value: str, line: str):
    done = subprocess.run(
        [FAUST, "-A", "streams.app", "worker"],
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(line)
    assert "sesame" not in done.stderr
