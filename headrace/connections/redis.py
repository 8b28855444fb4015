"""Redis and Valkey: an address, with options or as a URL, into what redis-py's clients take."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from headrace.connections.addresses import Endpoint, not_allowed, not_set, parse_endpoint
from headrace.connections.files import PemFiles, PemNames, revealed, secret, tls_context

_VARIABLE: Final = "HEADRACE_REDIS"
_DEFAULT_PORT: Final = 6_379
_FORMS: Final = "host, host:port, host:port,option=value,… or a redis:// or rediss:// URL, IPv6 addresses in brackets"
_NAMES: Final = PemNames(*(f"{_VARIABLE} with {name}" for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")))


class RedisConnection(NamedTuple):
    """How the online store is reached. Printing it shows no secret.

    Attributes:
        files: for TLS; its authorities are the system's where it names none.
        verified: whether the server's certificate has to be one that is trusted.
        named: and whether it has to name the host.
    """

    endpoint: Endpoint
    database: int = 0
    username: str | None = None
    password: SecretStr | None = None
    tls: bool = False
    files: PemFiles = PemFiles()
    verified: bool = True
    named: bool = True

    @property
    def address(self) -> str:
        """`host:port`, for people."""
        return str(self.endpoint)

    def options(self) -> dict[str, Any]:
        """What a client of redis-py takes, a blocking one or not, to reach the server.

        Raises:
            SettingsError: a PEM file does not hold what it should.
        """
        if self.tls:
            tls_context(self.files, _NAMES)  # whose errors say more than the client's
        ca, cert, key = (None if path is None else str(path) for path in self.files)
        tls = {
            "ssl": True,
            "ssl_ca_certs": ca,
            "ssl_certfile": cert,
            "ssl_keyfile": key,
            "ssl_cert_reqs": "required" if self.verified else "none",
            "ssl_check_hostname": self.verified and self.named,
        }
        return {
            "host": self.endpoint.host,
            "port": self.endpoint.port,
            "db": self.database,
            "username": self.username,
            "password": revealed(self.password),
            **(tls if self.tls else {}),
        }


def redis_connection(text: str, password_file: Path | None) -> RedisConnection:
    """The connection that the settings ask for.

    Raises:
        SettingsError: naming what is wrong with the address, or with a file.
    """
    try:
        endpoint, options = _of_url(text) if "://" in text else _of_list(text)
    except ValueError:
        raise not_allowed(_VARIABLE, text, _FORMS) from None
    found = _typed(text, options)
    password = secret(f"{_VARIABLE}_PASSWORD", found.get("password"), password_file)
    connection = RedisConnection(
        endpoint,
        found.get("db", 0),
        found.get("username"),
        password,
        found.get("ssl", False),
        PemFiles(*(found.get(name) for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"))),
        found.get("ssl_cert_reqs", True),
        found.get("ssl_check_hostname", True),
    )
    _check(text, connection, options)
    return connection


def _of_list(text: str) -> tuple[Endpoint, dict[str, str]]:
    first, *rest = text.split(",")
    options = dict(_pair(part) for part in rest)
    return parse_endpoint(first, _DEFAULT_PORT), options


def _pair(part: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    if not equals:
        raise ValueError
    return name.strip(), value.strip()


def _of_url(text: str) -> tuple[Endpoint, dict[str, str]]:
    url = urlsplit(text)
    if url.scheme not in {"redis", "rediss"} or url.fragment:
        raise ValueError
    options = dict(parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query)))
    options["ssl"] = "true" if url.scheme == "rediss" else "false"
    if url.path.strip("/"):
        options["db"] = url.path.strip("/")
    if url.username:
        options["username"] = unquote(url.username)
    if url.password:
        options["password"] = unquote(url.password)
    return parse_endpoint(url.netloc.rpartition("@")[2], _DEFAULT_PORT), options


def _typed(text: str, options: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in options.items():
        if name not in _OPTIONS:
            # Not shown: where a password holds a comma, it is a part of it.
            known = ", ".join(_OPTIONS)
            raise not_allowed(_VARIABLE, text, f"{_FORMS}; its options are {known}, a password with a comma in a URL")
        parse, allowed = _OPTIONS[name]
        try:
            found[name] = parse(value)
        except (ValueError, KeyError):
            raise not_allowed(_VARIABLE, text, f"an address with {name} as {allowed}") from None
    return found


def _check(text: str, connection: RedisConnection, options: Mapping[str, str]) -> None:
    if connection.username is not None and connection.password is None:
        raise not_set(f"{_VARIABLE}_PASSWORD_FILE", f"the user in {_VARIABLE} needs a password, there or in that file")
    if not connection.tls and (given := [name for name in options if name.startswith("ssl_")]):
        raise not_allowed(_VARIABLE, text, f"an address with ssl=true (or rediss://), or without {given[0]}")


def _number(value: str) -> int:
    if not (value.isascii() and value.isdecimal()):
        raise ValueError
    return int(value)


def _text(value: str) -> str:
    if not value:
        raise ValueError
    return value


def _path(value: str) -> Path:
    return Path(_text(value))


def _switch(value: str) -> bool:
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[value.lower()]


def _verified(value: str) -> bool:
    return {"required": True, "none": False}[value.lower()]


_OPTIONS: Final[Mapping[str, tuple[Callable[[str], Any], str]]] = {
    "db": (_number, "the number of a database"),
    "username": (_text, "a name"),
    "password": (lambda value: SecretStr(_text(value)), "a password"),
    "ssl": (_switch, "true or false"),
    "ssl_ca_certs": (_path, "a PEM file"),
    "ssl_certfile": (_path, "a PEM file"),
    "ssl_keyfile": (_path, "a PEM file"),
    "ssl_cert_reqs": (_verified, "required or none"),
    "ssl_check_hostname": (_switch, "true or false"),
}
