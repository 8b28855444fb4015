"""Kafka: settings into the options that aiokafka and kafka-python share."""

import ssl
from enum import StrEnum
from typing import Any, Final, NamedTuple

from pydantic import SecretStr

from headrace.connections.addresses import not_allowed, not_set, parse_endpoint
from headrace.connections.files import PemFiles, PemNames, revealed, tls_context
from headrace.errors import SettingsError

_DEFAULT_PORT: Final = 9_092
_NAMES: Final = PemNames("HEADRACE_KAFKA_CA", "HEADRACE_KAFKA_CERT", "HEADRACE_KAFKA_KEY")


class KafkaSecurity(StrEnum):
    """Whether the connection is encrypted, and whether a user logs in on it."""

    PLAINTEXT = "plaintext"
    TLS = "tls"
    SASL_PLAINTEXT = "sasl_plaintext"
    SASL_TLS = "sasl_tls"

    @property
    def tls(self) -> bool:
        return self in {KafkaSecurity.TLS, KafkaSecurity.SASL_TLS}

    @property
    def sasl(self) -> bool:
        return self in {KafkaSecurity.SASL_PLAINTEXT, KafkaSecurity.SASL_TLS}


class SaslMechanism(StrEnum):
    """How a user logs in."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class Login(NamedTuple):
    """A user of the cluster."""

    mechanism: SaslMechanism
    username: str
    password: SecretStr


class KafkaConnection(NamedTuple):
    """How a cluster is reached, and what this shop's topics are called there. Printing it shows no secret.

    Attributes:
        address: bootstrap servers, `host:port` separated by commas.
        prefix: what every topic's name begins with on the cluster, and nowhere else.
    """

    address: str
    security: KafkaSecurity = KafkaSecurity.PLAINTEXT
    login: Login | None = None
    files: PemFiles = PemFiles()
    prefix: str = ""

    def name_of(self, topic: str) -> str:
        """What a topic is called on the cluster."""
        return f"{self.prefix}{topic}"

    def topic_of(self, name: str) -> str:
        """The topic that is called so on the cluster."""
        return name.removeprefix(self.prefix)

    def options(self) -> dict[str, Any]:
        """What every client of aiokafka and of kafka-python takes to reach the cluster.

        Raises:
            SettingsError: a PEM file does not hold what it should.
        """
        options: dict[str, Any] = {
            "bootstrap_servers": self.address.split(","),
            "security_protocol": self.security.value.upper().replace("TLS", "SSL"),
        }
        if self.security.tls:
            options["ssl_context"] = self.context()
        if self.login is not None:
            options["sasl_mechanism"] = self.login.mechanism.value
            options["sasl_plain_username"] = self.login.username
            options["sasl_plain_password"] = revealed(self.login.password)
        return options

    def context(self) -> ssl.SSLContext:
        """The TLS of a connection.

        Raises:
            SettingsError: a PEM file does not hold what it should.
        """
        return tls_context(self.files, _NAMES)


def kafka_connection(
    address: str,
    security: KafkaSecurity,
    *,
    mechanism: SaslMechanism | None,
    username: str | None,
    password: SecretStr | None,
    files: PemFiles,
    prefix: str = "",
) -> KafkaConnection:
    """The connection that the settings ask for.

    Raises:
        SettingsError: naming what is missing, or set and without effect.
    """
    _refuse_without_effect(security, {"SASL_MECHANISM": mechanism, "USERNAME": username, "PASSWORD": password}, files)
    login = _login(security, mechanism, username, password) if security.sasl else None
    return KafkaConnection(_addresses(address), security, login, files, prefix)


def _addresses(text: str) -> str:
    try:
        return ",".join(str(parse_endpoint(part, _DEFAULT_PORT)) for part in text.split(","))
    except ValueError:
        allowed = "host:port, or several separated by commas, an IPv6 address in brackets"
        raise not_allowed("HEADRACE_KAFKA", text, allowed) from None


def _login(
    security: KafkaSecurity, mechanism: SaslMechanism | None, username: str | None, password: SecretStr | None
) -> Login:
    why = f"HEADRACE_KAFKA_SECURITY={security} needs"
    if mechanism is None:
        raise not_set("HEADRACE_KAFKA_SASL_MECHANISM", f"{why} {', '.join(SaslMechanism)}")
    if username is None:
        raise not_set("HEADRACE_KAFKA_USERNAME", f"{why} a user")
    if password is None:
        raise not_set("HEADRACE_KAFKA_PASSWORD", f"{why} one, or HEADRACE_KAFKA_PASSWORD_FILE")
    return Login(mechanism, username, password)


def _refuse_without_effect(security: KafkaSecurity, login: dict[str, object], files: PemFiles) -> None:
    """A user who sets a certificate or a password means to be safe: silence would leave the connection open."""
    given = [name for name, value in login.items() if value is not None and not security.sasl]
    given += [name.upper() for name, value in files._asdict().items() if value is not None and not security.tls]
    if given:
        wanted = "sasl_tls" if given[0] in login else "tls or sasl_tls"
        raise SettingsError(
            f"HEADRACE_KAFKA_{given[0]} is set and has no effect with HEADRACE_KAFKA_SECURITY={security}: set that "
            f"to {wanted}, or unset it."
        )
