"""Why Kafka does not let a client in, as one line that says what to do."""

import logging
import socket
import ssl
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from headrace.connections.addresses import parse_endpoint
from headrace.connections.kafka import KafkaConnection
from headrace.errors import StackError

_PROBE_S: Final = 2.0
_LOGIN_S: Final = 5.0
"""The client does not end when it is refused: it tries until so much time is up."""


def kafka_trouble(connection: KafkaConnection, error: Exception) -> StackError:
    """An error of kafka-python's as ours: a client that is refused, or not understood, hears of it only as silence."""
    from kafka.errors import AuthorizationError, KafkaTimeoutError

    if isinstance(error, KafkaTimeoutError) and (reason := _tls_trouble(connection)):
        return StackError(f"Kafka at {connection.address} is there, and no connection comes about: {reason}.")
    if isinstance(error, KafkaTimeoutError) and connection.login is not None:
        error = _refusal(connection) or error
    message = str(error) or type(error).__name__
    if _is_refusal(error):
        user = connection.login.username if connection.login else "without a login"
        return StackError(
            f"Kafka at {connection.address} refuses the user {user} ({message}): check HEADRACE_KAFKA_USERNAME, its "
            "password and HEADRACE_KAFKA_SASL_MECHANISM."
        )
    if isinstance(error, AuthorizationError):
        return StackError(
            f"Kafka at {connection.address}: {who(connection)} may not do this ({message}): grant it what "
            "docs/how-to/connect-your-cluster.md lists."
        )
    return StackError(
        f"Kafka at {connection.address}: {message}; is it up? `headrace up` starts a local one, HEADRACE_KAFKA names "
        "another"
    )


def who(connection: KafkaConnection) -> str:
    """The client, as its operator knows it."""
    return f"user {connection.login.username}" if connection.login else "this client"


def _tls_trouble(connection: KafkaConnection) -> str | None:
    """What a handshake with the first broker comes to; None where it is not TLS that is in the way."""
    endpoint = parse_endpoint(connection.address.split(",")[0], 0)
    tls = connection.security.tls
    context = connection.context() if tls else _trusting_everyone()
    try:
        with (
            socket.create_connection(endpoint, timeout=_PROBE_S) as plain,
            context.wrap_socket(plain, server_hostname=endpoint.host) as encrypted,
        ):
            if not tls:
                return "it speaks TLS, so HEADRACE_KAFKA_SECURITY is to be tls or sasl_tls"
            encrypted.recv(1)  # a server that misses the client's certificate says so only now
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted ({error.verify_message}), see HEADRACE_KAFKA_CA"
    except ssl.SSLError as error:
        return f"TLS fails ({error.reason}), see HEADRACE_KAFKA_SECURITY, _CERT and _KEY" if tls else None
    except OSError:
        return None
    return None


class _Failures(logging.Handler):
    """Collects what connections have failed with: the client logs it, and raises no more than that time is up."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Exception] = []

    def emit(self, record: logging.LogRecord) -> None:
        args = record.args if isinstance(record.args, tuple) else ()
        self.found += [arg for arg in args if isinstance(arg, Exception)]


def _refusal(connection: KafkaConnection) -> Exception | None:
    """Try once more, listening to why the login fails; None where it is not the login."""
    import kafka.admin
    from kafka.errors import KafkaError

    admin: Any = kafka.admin.KafkaAdminClient
    with _logged_failures() as failures:
        try:
            admin(**connection.options(), bootstrap_timeout_ms=_LOGIN_S * 1000).close()
        except KafkaError as error:
            failures.append(error)
    refusal = next((found for found in failures if _is_refusal(found)), None)
    return refusal or _closed_at_login(failures)


def _closed_at_login(failures: Sequence[Exception]) -> Exception | None:
    """The client often misses what a broker says right before it closes the connection: that it was closed tells."""
    from kafka.errors import KafkaConnectionError, SaslAuthenticationFailedError

    if any(isinstance(found, KafkaConnectionError) and "disconnected" in str(found) for found in failures):
        return SaslAuthenticationFailedError("it closes the connection at the login")
    return None


@contextmanager
def _logged_failures() -> Generator[list[Exception]]:
    """What connections fail with meanwhile, which is said to nobody else, also where the client's log is silenced."""
    handler, log = _Failures(), logging.getLogger("kafka.net.manager")
    level, propagate = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.WARNING)
    log.propagate = False
    try:
        yield handler.found
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate


def _is_refusal(error: Exception) -> bool:
    from kafka.errors import SaslAuthenticationFailedError, UnsupportedSaslMechanismError

    return isinstance(error, SaslAuthenticationFailedError | UnsupportedSaslMechanismError)


def _trusting_everyone() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
