"""A bad value is one line that names the variable, the value and what is allowed."""

import pytest

from headrace.errors import SettingsError
from headrace.settings.model import load_settings


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("HEADRACE_LOG", "xml", "'text' or 'json'"),
        ("HEADRACE_LOG_LEVEL", "chatty", "'debug', 'info', 'warning' or 'error'"),
        ("HEADRACE_TIMEZONE", "Berlin", "a place of the IANA database, such as UTC or Europe/Berlin"),
        ("HEADRACE_TIMEZONE", "Europe", "a place of the IANA database, such as UTC or Europe/Berlin"),
        ("HEADRACE_TIMEZONE", "../UTC", "a place of the IANA database, such as UTC or Europe/Berlin"),
        ("HEADRACE_PAST", "946684800000", "a date from 1970-01-01 on, such as 2000-01-01"),
        ("HEADRACE_PAST", "1969-12-31", "a date from 1970-01-01 on, such as 2000-01-01"),
        # The answer to a larger event would not fit into any message.
        ("HEADRACE_MAX_EVENT_BYTES", "4194305", "less than or equal to 4194304"),
    ],
)
def test_what_is_not_allowed_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, allowed: str):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value) == f"{variable}={value!r} is not allowed: it must be {allowed}."


@pytest.mark.parametrize(
    ("value", "past"),
    [
        ("1970-01-01", 0),
        ("2015-06-01", 1_433_116_800_000),
        ("2015-06-01T02:00:00+02:00", 1_433_116_800_000),
        (None, 946_684_800_000),
    ],
)
def test_the_past_is_a_date_in_utc(monkeypatch: pytest.MonkeyPatch, value: str | None, past: int):
    if value is not None:
        monkeypatch.setenv("HEADRACE_PAST", value)
    assert load_settings().past == past


@pytest.mark.parametrize(
    ("variables", "port"),
    [
        ({}, 19_100),
        ({"HEADRACE_PORT_OFFSET": "700"}, 19_800),
        ({"HEADRACE_PORT_OFFSET": "700", "HEADRACE_METRICS_PORT": "9100"}, 9_100),
        ({"HEADRACE_PORT_OFFSET": "700", "HEADRACE_METRICS_PORT": "0"}, 0),
    ],
)
def test_the_metrics_port_moves_with_the_others_unless_it_is_set(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], port: int
):
    for name in ("HEADRACE_PORT_OFFSET", "HEADRACE_METRICS_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert load_settings().metrics_from == port
