"""How the online store is reached, from what HEADRACE_REDIS says to the options of its clients."""

from pathlib import Path
from typing import Any

import pytest

from headrace.connections.redis import redis_connection
from headrace.errors import SettingsError
from headrace.settings.model import load_settings

PLAIN = {"host": "h", "port": 6379, "db": 0, "username": None, "password": None}
TLS = {
    "ssl": True,
    "ssl_ca_certs": None,
    "ssl_certfile": None,
    "ssl_keyfile": None,
    "ssl_cert_reqs": "required",
    "ssl_check_hostname": True,
}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("h", {}),
        ("h:7", {"port": 7}),
        ("[::1]:7", {"host": "::1", "port": 7}),
        ("h:7,db=2,username=u,password=p", {"port": 7, "db": 2, "username": "u", "password": "p"}),
        # What looks like a number, a list or a truth value in JSON is a password all the same.
        ("h,password=1234", {"password": "1234"}),
        ("h,password=true", {"password": "true"}),
        ("h,password=a=b", {"password": "a=b"}),
        ("h,ssl=False", {}),
        ("h,ssl=false", {}),
        ("h,ssl=true", TLS),
        ("h, ssl=True, ssl_check_hostname=no", {**TLS, "ssl_check_hostname": False}),
        ("h,ssl=true,ssl_cert_reqs=none", {**TLS, "ssl_cert_reqs": "none", "ssl_check_hostname": False}),
        ("redis://h", {}),
        ("redis://h/", {}),
        ("redis://h:7/3", {"port": 7, "db": 3}),
        ("redis://u:p%40%2C%2Fx@h:7/3", {"port": 7, "db": 3, "username": "u", "password": "p@,/x"}),
        ("redis://:p@[::1]:7", {"host": "::1", "port": 7, "password": "p"}),
        ("redis://h?db=4", {"db": 4}),
        ("rediss://h:7", {"port": 7, **TLS}),
    ],
)
def test_an_address_may_be_written_in_any_of_the_usual_ways(written: str, meant: dict[str, Any]):
    assert redis_connection(written, None).options() == PLAIN | meant


@pytest.mark.parametrize(
    ("written", "shown", "allowed"),
    [
        ("h:abc", "h:abc", "host:port"),
        ("::1", "::1", "IPv6 addresses in brackets"),
        ("", "", "host:port"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock", "redis:// or rediss://"),
        ("h:1,h:2", "h:1,h:2", "host:port"),
        ("redis://h:1/notanumber", "redis://h:1/notanumber", "db as the number of a database"),
        ("redis://h:1/-1", "redis://h:1/-1", "db as the number of a database"),
        ("h:1,db=x", "h:1,db=x", "db as the number of a database"),
        ("h:1,ssl=maybe", "h:1,ssl=maybe", "ssl as true or false"),
        ("h:1,timeout=3", "h:1,timeout=3", "its options are db, username, password, ssl,"),
        ("redis://h:1?timeout=3", "redis://h:1?timeout=3", "its options are db, username, password, ssl,"),
        ("h:1,ssl_ca_certs=/x", "h:1,ssl_ca_certs=/x", "ssl=true"),
        # Whatever form its writer had in mind, no part of a password is shown.
        ("h:1,password=kuckuck,street", "h:1,password=***", "host:port"),
        ("h:1,password=kuckuck,street=1", "h:1,password=***", "a password with a comma in a URL"),
        ("h:1,passwd=kuckuck", "h:1,passwd=***", "its options are"),
        ("u:kuckuck@h:1", "***@h:1", "host:port"),
        ("redis://u:kuc/kuck@h:1", "redis://***@h:1", "host:port"),
        ("redis://u:kuc#kuck@h:1", "redis://***@h:1", "host:port"),
        ("redis://u:kuc://kuck@h:1", "redis://***@h:1", "host:port"),
        ("redis://u:kuckuck@h:x", "redis://***@h:x", "host:port"),
        ("redis://u:kuckuck@h:1/x", "redis://***@h:1/x", "db as the number"),
        ("redis://h:x?password=kuckuck", "redis://h:x?password=***", "host:port"),
    ],
)
def test_what_is_no_address_is_refused_in_one_line(written: str, shown: str, allowed: str):
    with pytest.raises(SettingsError) as refused:
        redis_connection(written, None)
    line = str(refused.value)
    assert line.startswith(f"HEADRACE_REDIS={shown!r} is not allowed: it must be ")
    assert allowed in line
    assert "kuc" not in line and "street" not in line and "\n" not in line


def test_a_password_may_stand_in_a_file(tmp_path: Path):
    file = tmp_path / "password"
    file.write_text("s e,s@me\r\n")
    assert redis_connection("redis://u@h", file).options() == {**PLAIN, "username": "u", "password": "s e,s@me"}
    with pytest.raises(SettingsError, match="are both set"):
        redis_connection("redis://u:p@h", file)


@pytest.mark.parametrize("content", [None, b"", b"\n", b"a\nb\n", b"\xff\xfe"])
def test_a_file_that_holds_no_password_is_refused(tmp_path: Path, content: bytes | None):
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=f"HEADRACE_REDIS_PASSWORD_FILE='{file}' is not allowed"):
        redis_connection("h", file)


def test_a_user_without_a_password_is_refused():
    with pytest.raises(SettingsError, match="HEADRACE_REDIS_PASSWORD_FILE is not set: the user in HEADRACE_REDIS"):
        redis_connection("redis://u@h", None)


def test_a_missing_file_is_named():
    with pytest.raises(SettingsError) as refused:
        redis_connection("h,ssl=true,ssl_ca_certs=/nowhere/ca.pem", None).options()
    assert str(refused.value) == (
        "HEADRACE_REDIS with ssl_ca_certs='/nowhere/ca.pem' is not allowed: it must be a file that can be read "
        "(No such file or directory)."
    )


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HEADRACE_REDIS", "redis://u:kuckuck@h:1/2")
    settings = load_settings()
    shown = f"{settings!r} {settings} {settings.redis_connection!r} {settings.redis_address} "
    shown += f"{settings.redis_connection.options()}"
    assert "kuckuck" not in shown
    assert settings.redis_address == "h:1"
