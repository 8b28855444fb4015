"""Why no connection to Kafka comes about, found out at a listener that speaks TLS."""

import ssl
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_server
from threading import Thread

import pytest
import trustme
from kafka.errors import KafkaTimeoutError, SaslAuthenticationFailedError, TopicAuthorizationFailedError
from pydantic import SecretStr

from headrace.connections.files import PemFiles
from headrace.connections.kafka import KafkaConnection, KafkaSecurity, Login, SaslMechanism
from headrace.connections.trouble import kafka_trouble

AUTHORITY = trustme.CA()
SILENCE = KafkaTimeoutError("Unable to bootstrap")


@contextmanager
def listening(*, client_certificate: bool = False) -> Generator[str]:
    """The address of a TLS listener that takes every handshake and then waits."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("localhost").configure_cert(context)
    if client_certificate:
        AUTHORITY.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED

    def serve() -> None:
        with suppress(OSError):  # closed
            while True:
                with suppress(ssl.SSLError), context.wrap_socket(server.accept()[0], server_side=True) as client:
                    client.recv(1)

    with create_server(("localhost", 0)) as server:
        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"localhost:{server.getsockname()[1]}"


def pem(folder: Path, authority: trustme.CA) -> PemFiles:
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return PemFiles(ca=folder / "ca.pem")


def line(connection: KafkaConnection, error: Exception = SILENCE) -> str:
    return str(kafka_trouble(connection, error))


def test_a_certificate_that_nobody_trusted_has_signed_is_named(tmp_path: Path):
    with listening() as address:
        message = line(KafkaConnection(address, KafkaSecurity.TLS, files=pem(tmp_path, trustme.CA())))
    assert f"Kafka at {address} is there, and no connection comes about: its certificate is not trusted (" in message
    assert message.endswith("see HEADRACE_KAFKA_CA.")


def test_a_listener_that_speaks_tls_is_named_as_one():
    with listening() as address:
        assert "it speaks TLS, so HEADRACE_KAFKA_SECURITY is to be tls" in line(KafkaConnection(address))


def test_a_client_without_its_certificate_is_told_so(tmp_path: Path):
    with listening(client_certificate=True) as address:
        message = line(KafkaConnection(address, KafkaSecurity.TLS, files=pem(tmp_path, AUTHORITY)))
    assert "TLS fails (" in message
    assert "see HEADRACE_KAFKA_SECURITY, _CERT and _KEY" in message


@pytest.mark.parametrize("security", [KafkaSecurity.PLAINTEXT, KafkaSecurity.TLS])
def test_where_nobody_listens_it_is_not_tls_that_is_in_the_way(security: KafkaSecurity):
    with create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
    message = line(KafkaConnection(f"localhost:{port}", security))
    assert message.startswith(f"Kafka at localhost:{port}: KafkaTimeoutError: Unable to bootstrap; is it up?")


def test_a_refused_user_is_named_and_no_password():
    login = Login(SaslMechanism.PLAIN, "shop", SecretStr("sesame"))
    connection = KafkaConnection("broker:9093", KafkaSecurity.SASL_PLAINTEXT, login)
    assert "refuses the user shop" in line(connection, SaslAuthenticationFailedError("no"))
    assert "user shop may not do this" in line(connection, TopicAuthorizationFailedError("events"))
    assert "sesame" not in line(connection, SaslAuthenticationFailedError("no"))


def test_a_listener_that_closes_the_connection_at_the_login_refuses_the_user(tmp_path: Path):
    """The client often misses what a broker says right before it closes."""
    login = Login(SaslMechanism.PLAIN, "shop", SecretStr("wrong"))
    with listening() as address:
        message = line(KafkaConnection(address, KafkaSecurity.SASL_TLS, login=login, files=pem(tmp_path, AUTHORITY)))
    assert f"Kafka at {address} refuses the user shop" in message
