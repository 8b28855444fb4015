"""Triton: settings into what the clients of tritonclient take."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import SecretStr

from headrace.connections.addresses import not_allowed, parse_endpoint
from headrace.connections.files import trusting
from headrace.errors import SettingsError

_DEFAULT_PORT: Final = 8_001
_NAME: Final = re.compile(r"[0-9a-z_.-]+")
_VALUE: Final = re.compile(r"[\x20-\x7e]+")


class TritonConnection(NamedTuple):
    """How Triton is reached. Printing it shows no secret.

    Attributes:
        address: `host:port` of gRPC.
        ca: whom TLS trusts; gRPC's own list of authorities where it is None.
        headers: sent with every call.
    """

    address: str
    tls: bool = False
    ca: Path | None = None
    headers: tuple[tuple[str, SecretStr], ...] = ()

    def options(self) -> dict[str, Any]:
        """What a client of `tritonclient.grpc` takes, a blocking one or not, to reach the server.

        Raises:
            SettingsError: the PEM file does not hold what it should.
        """
        if self.tls:
            trusting(self.ca, "HEADRACE_TRITON_CA")
        root = None if self.ca is None else str(self.ca)
        return {"url": self.address, "ssl": self.tls, "root_certificates": root}

    def prepare(self, client: Any) -> None:
        """Let a client send the headers with every call."""
        if self.headers:
            client.register_plugin(_Headers(self.headers))


class _Headers:
    """A plugin of tritonclient."""

    def __init__(self, headers: tuple[tuple[str, SecretStr], ...]) -> None:
        self._headers = {name: value.get_secret_value() for name, value in headers}

    def __call__(self, request: Any) -> None:
        """Add them to a call."""
        request.headers = {**(request.headers or {}), **self._headers}


def triton_connection(address: str, *, tls: bool, ca: Path | None, headers: str | None) -> TritonConnection:
    """The connection that the settings ask for.

    Raises:
        SettingsError: naming what is wrong, or set and without effect.
    """
    try:
        endpoint = str(parse_endpoint(address, _DEFAULT_PORT))
    except ValueError:
        allowed = "host:port of Triton's gRPC endpoint, an IPv6 address in brackets"
        raise not_allowed("HEADRACE_TRITON", address, allowed) from None
    if ca is not None and not tls:
        raise SettingsError("HEADRACE_TRITON_CA is set and has no effect: set HEADRACE_TRITON_TLS=on, or unset it.")
    return TritonConnection(endpoint, tls, ca, tuple(_headers(headers or "").items()))


def _headers(text: str) -> Mapping[str, SecretStr]:
    found: dict[str, SecretStr] = {}
    for number, part in enumerate(filter(str.strip, text.split(",")), start=1):
        name, _, value = (word.strip() for word in part.partition("="))
        if not _NAME.fullmatch(name.lower()) or not _VALUE.fullmatch(value) or name.lower().endswith("-bin"):
            # Neither name nor value is shown: a secret with a comma would be taken for a name.
            raise SettingsError(
                f"HEADRACE_TRITON_HEADERS: number {number} is not allowed: it must be name=value in plain ASCII, "
                "several separated by commas."
            )
        found[name.lower()] = SecretStr(value)
    return found
