"""How Triton is reached, from the environment to the options of its clients."""

from types import SimpleNamespace
from typing import Any

import pytest

from headrace.errors import SettingsError
from headrace.settings.model import Settings, load_settings


def loaded(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in {"HEADRACE_TRITON": "triton", **variables}.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_a_port_may_be_left_out(monkeypatch: pytest.MonkeyPatch):
    expected = {"url": "triton:8001", "ssl": False, "root_certificates": None}
    assert loaded(monkeypatch).triton_connection.options() == expected


def test_headers_go_with_every_call_beside_those_of_the_call(monkeypatch: pytest.MonkeyPatch):
    settings = loaded(monkeypatch, HEADRACE_TRITON_HEADERS="Authorization=Bearer a=b, x-shop=1")
    plugins: list[Any] = []
    settings.triton_connection.prepare(SimpleNamespace(register_plugin=plugins.append))
    for headers in (None, {"own": "2"}):
        call = SimpleNamespace(headers=headers)
        plugins[0](call)
        assert call.headers == {**(headers or {}), "authorization": "Bearer a=b", "x-shop": "1"}


@pytest.mark.parametrize("headers", ["sesame", "a=1,sesame", "a=", "=sesame", "a b=sesame", "a=sesamé", "a-bin=sesame"])
def test_what_is_no_header_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, headers: str):
    with pytest.raises(SettingsError, match=r"HEADRACE_TRITON_HEADERS: number \d is not allowed") as refused:
        loaded(monkeypatch, HEADRACE_TRITON_HEADERS=headers)
    assert "sesam" not in str(refused.value)


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"HEADRACE_TRITON": "http://triton:8000"}, "HEADRACE_TRITON='http://triton:8000' is not allowed"),
        ({"HEADRACE_TRITON": "triton:grpc"}, "HEADRACE_TRITON='triton:grpc' is not allowed"),
        ({"HEADRACE_TRITON_TLS": "maybe"}, "HEADRACE_TRITON_TLS='maybe' is not allowed: it must be on or off."),
        ({"HEADRACE_TRITON_CA": "/x"}, "HEADRACE_TRITON_CA is set and has no effect"),
        (
            {"HEADRACE_TRITON_TLS": "on", "HEADRACE_TRITON_CA": "/nowhere"},
            "HEADRACE_TRITON_CA='/nowhere' is not allowed: it must be a file that can be read (No such file",
        ),
    ],
)
def test_a_bad_value_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], line: str):
    with pytest.raises(SettingsError) as refused:
        loaded(monkeypatch, **variables)
    assert str(refused.value).startswith(line)


def test_the_local_triton_has_no_tls(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HEADRACE_TRITON_TLS", "on")
    with pytest.raises(SettingsError, match="HEADRACE_TRITON_TLS is set, and HEADRACE_TRITON is not"):
        load_settings()


def test_no_header_is_shown(monkeypatch: pytest.MonkeyPatch):
    settings = loaded(monkeypatch, HEADRACE_TRITON_HEADERS="authorization=sesame")
    assert "sesame" not in f"{settings!r} {settings.triton_connection!r}"
