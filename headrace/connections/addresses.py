"""`host:port` as users write it, and how a bad one is shown without what is secret in it."""

import re
from typing import Final, NamedTuple

from headrace.errors import SettingsError

_HOST: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?")
_V6: Final = re.compile(r"\[([0-9A-Fa-f:.]+(%[A-Za-z0-9]+)?)\](?::(.*))?")
_PORTS: Final = range(1, 65_536)
_PASSWORD: Final = re.compile(r"(pass\w*=).*", re.IGNORECASE | re.DOTALL)
_HIDDEN: Final = "***"


class Endpoint(NamedTuple):
    """Where a server listens; an IPv6 address stands without its brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(text: str, default_port: int) -> Endpoint:
    """`host`, `host:port`, `[v6]` or `[v6]:port`.

    Raises:
        ValueError: it is none of them.
    """
    text = text.strip()
    if text.startswith("["):
        match = _V6.fullmatch(text)
        if match is None:
            raise ValueError
        return Endpoint(match[1], _port(match[3], default_port))
    host, colon, port = text.partition(":")
    if not _HOST.fullmatch(host):
        raise ValueError
    return Endpoint(host, _port(port if colon else None, default_port))


def _port(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and int(text) in _PORTS):
        raise ValueError
    return int(text)


def masked(value: str) -> str:
    """An address without the secrets in it, whatever form its writer had in mind."""
    start = value.find("://") + 3 if "://" in value else 0
    # A comma may be part of a password: nothing behind it is shown.
    rest = _PASSWORD.sub(rf"\1{_HIDDEN}", value[start:])
    _, at, host = rest.rpartition("@")
    return value[:start] + (f"{_HIDDEN}@{host}" if at else rest)


def not_allowed(variable: str, value: object, allowed: str) -> SettingsError:
    """The one line that a bad value ends with."""
    return SettingsError(f"{variable}={masked(str(value))!r} is not allowed: it must be {allowed}.")


def not_set(variable: str, why: str) -> SettingsError:
    """The one line of a value that another one needs."""
    return SettingsError(f"{variable} is not set: {why}.")
