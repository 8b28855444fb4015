"""How Kafka is reached, from the environment to the options of its clients."""

from pathlib import Path

import pytest

from headrace.errors import SettingsError
from headrace.settings.model import load_settings

SASL = {
    "HEADRACE_KAFKA": "broker:9093",
    "HEADRACE_KAFKA_SECURITY": "sasl_plaintext",
    "HEADRACE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "HEADRACE_KAFKA_USERNAME": "shop",
    "HEADRACE_KAFKA_PASSWORD": "sesame-42",
}


def setting(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    setting(monkeypatch, **variables)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    return str(refused.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("broker", "broker:9092"),
        ("broker:1", "broker:1"),
        ("a:1, b:2", "a:1,b:2"),
        ("[::1]:9093,[fe80::1%eth0]", "[::1]:9093,[fe80::1%eth0]:9092"),
        ("10.0.0.1:9092", "10.0.0.1:9092"),
        ("my_broker.kafka.svc.:9092", "my_broker.kafka.svc.:9092"),
    ],
)
def test_brokers_may_be_written_in_any_of_the_usual_ways(monkeypatch: pytest.MonkeyPatch, written: str, meant: str):
    setting(monkeypatch, HEADRACE_KAFKA=written)
    assert load_settings().kafka_connection.options()["bootstrap_servers"] == meant.split(",")


@pytest.mark.parametrize(
    "address",
    [
        "localhost:abc",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:٣",
        "::1",
        "::1:9092",
        "[::1]9092",
        "a:1,,b:1",
        "a:1;b:1",
        ":9092",
        "kafka://a:9092",
        "a b:1",
        "-a:1",
        "[zz]:1",
    ],
)
def test_what_is_no_address_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, address: str):
    assert refusal(monkeypatch, HEADRACE_KAFKA=address) == (
        f"HEADRACE_KAFKA={address!r} is not allowed: it must be host:port, or several separated by commas, an IPv6 "
        "address in brackets."
    )


def test_a_user_with_a_password_logs_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    setting(monkeypatch, **SASL)
    options = load_settings().kafka_connection.options()
    assert options == {
        "bootstrap_servers": ["broker:9093"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "shop",
        "sasl_plain_password": "sesame-42",
    }
    monkeypatch.delenv("HEADRACE_KAFKA_PASSWORD")
    file = tmp_path / "password"
    file.write_text("  from a file\n")
    monkeypatch.setenv("HEADRACE_KAFKA_PASSWORD_FILE", str(file))
    assert load_settings().kafka_connection.options()["sasl_plain_password"] == "  from a file"


@pytest.mark.parametrize("security", ["sasl_tls", "sasl_plaintext"])
@pytest.mark.parametrize("missing", ["SASL_MECHANISM", "USERNAME", "PASSWORD"])
def test_a_login_that_lacks_something_is_refused(monkeypatch: pytest.MonkeyPatch, security: str, missing: str):
    left = {name: value for name, value in SASL.items() if not name.endswith(missing)}
    line = refusal(monkeypatch, **{**left, "HEADRACE_KAFKA_SECURITY": security})
    assert line.startswith(f"HEADRACE_KAFKA_{missing} is not set: HEADRACE_KAFKA_SECURITY={security} needs ")


@pytest.mark.parametrize("name", ["SASL_MECHANISM", "USERNAME", "PASSWORD", "CA", "CERT", "KEY"])
def test_what_would_have_no_effect_is_refused(monkeypatch: pytest.MonkeyPatch, name: str):
    value = "PLAIN" if name == "SASL_MECHANISM" else "x"
    line = refusal(monkeypatch, HEADRACE_KAFKA="broker:9092", **{f"HEADRACE_KAFKA_{name}": value})
    assert line.startswith(f"HEADRACE_KAFKA_{name} is set and has no effect with HEADRACE_KAFKA_SECURITY=plaintext")


def test_the_local_cluster_knows_no_security(monkeypatch: pytest.MonkeyPatch):
    assert "HEADRACE_KAFKA is not" in refusal(monkeypatch, HEADRACE_KAFKA_SECURITY="tls")


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("HEADRACE_KAFKA_SECURITY", "ssl", "'plaintext', 'tls', 'sasl_plaintext' or 'sasl_tls'"),
        ("HEADRACE_KAFKA_SASL_MECHANISM", "GSSAPI", "'PLAIN', 'SCRAM-SHA-256' or 'SCRAM-SHA-512'"),
    ],
)
def test_a_word_that_is_not_known_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, allowed: str):
    assert refusal(monkeypatch, **{variable: value}) == f"{variable}={value!r} is not allowed: it must be {allowed}."


def test_a_password_is_set_once(monkeypatch: pytest.MonkeyPatch):
    line = refusal(monkeypatch, **SASL, HEADRACE_KAFKA_PASSWORD_FILE="/nowhere")
    assert line == "HEADRACE_KAFKA_PASSWORD and HEADRACE_KAFKA_PASSWORD_FILE are both set: set one of them."


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch):
    setting(monkeypatch, **SASL)
    settings = load_settings()
    kafka = settings.kafka_connection
    assert "sesame" not in f"{settings!r} {settings} {settings.model_dump()} {kafka!r} {kafka.options()}"
    line = refusal(monkeypatch, HEADRACE_KAFKA="shop:sesame-42@broker:9092")
    assert line.startswith("HEADRACE_KAFKA='***@broker:9092' is not allowed") and "sesame" not in line
