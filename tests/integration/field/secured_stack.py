"""Kafka, Valkey and Triton as a careful operator runs them: TLS, users, passwords, no right that is not needed."""

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ACLResourcePatternType, ResourcePattern, ResourceType

from headrace.connections.kafka import KafkaConnection
from headrace.settings.model import settings
from headrace.topics import Topic
from infra.local.health import await_ready, require_free_ports
from infra.local.kafka import Kafka
from infra.local.process import start, stop
from infra.local.server import HOST, Server
from infra.local.triton import TritonServer
from infra.local.valkey import Valkey
from infra.topics.admin import connect

PASSWORD = "sesame/street@42:x"
NARROW_PASSWORD = "barley-43"
TOKEN = "letters-44"
SECRETS = ("sesame", NARROW_PASSWORD, TOKEN)
"""None of them is in anything that Headrace writes."""

_TOPIC_RIGHTS = (ACLOperation.READ, ACLOperation.WRITE, ACLOperation.CREATE, ACLOperation.DESCRIBE_CONFIGS)
_GROUP_RIGHTS = (ACLOperation.READ, ACLOperation.DELETE)

_VALKEY_RIGHTS = "+@read +@write +@scripting +@connection +@transaction +info +waitaof"

_JAAS = "org.apache.kafka.common.security"
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True)
class Pem:
    """Certificates made for one run."""

    ca: Path
    other_ca: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path

    @property
    def server(self) -> Path:
        """Key and certificate in one file, as Kafka takes them."""
        return self.server_cert.with_name("server.pem")


def make_certificates(folder: Path) -> Pem:
    """An authority, a server's certificate, a client's, and an authority that signed neither."""
    authority = trustme.CA()
    names = ("ca", "other-ca", "server-cert", "server-key", "client-cert", "client-key")
    pem = Pem(*(folder / f"{name}.pem" for name in names))
    authority.cert_pem.write_to_path(str(pem.ca))
    trustme.CA().cert_pem.write_to_path(str(pem.other_ca))
    server = authority.issue_cert("localhost", HOST)
    client = authority.issue_cert("shop.client", common_name="shop")
    for made, cert, key in (
        (server, pem.server_cert, pem.server_key),
        (client, pem.client_cert, pem.client_key),
    ):
        cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        private = load_pem_private_key(made.private_key_pem.bytes(), None)
        key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    pem.server.write_bytes(pem.server_key.read_bytes() + pem.server_cert.read_bytes())
    return pem


@dataclass(frozen=True)
class SecuredKafka(Kafka):
    """A broker that lets nobody in without TLS or a password; its first listener is the operator's own."""

    pem: Pem
    secured: tuple[int, int, int]

    def _config(self, data: Path) -> str:
        port = self.ports[0]
        names = ("SASL_TLS", "TLS", "SASL")
        listeners = ",".join(f"{name}://localhost:{at}" for name, at in zip(names, self.secured, strict=True))
        lines = [
            super()._config(data).replace(f"PLAINTEXT://{HOST}:{port}", f"PLAINTEXT://{HOST}:{port},{listeners}"),
            "listener.security.protocol.map="
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_TLS:SASL_SSL,TLS:SSL,SASL:SASL_PLAINTEXT",
            "inter.broker.listener.name=PLAINTEXT",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={self.pem.server}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={self.pem.ca}",
            "listener.name.tls.ssl.client.auth=required",
            "listener.name.tls.ssl.principal.mapping.rules=RULE:^.*CN=shop.*$/shop/",
            f"sasl.enabled.mechanisms={','.join(_MECHANISMS)}",
        ]
        for listener in ("sasl_tls", "sasl"):
            prefix = f"listener.name.{listener}"
            users = f'user_shop="{PASSWORD}"'
            lines.append(f"{prefix}.plain.sasl.jaas.config={_JAAS}.plain.PlainLoginModule required {users};")
            for mechanism in ("scram-sha-256", "scram-sha-512"):
                lines.append(f"{prefix}.{mechanism}.sasl.jaas.config={_JAAS}.scram.ScramLoginModule required;")
        return "\n".join([*lines, ""])

    def _format(self, java: tuple[str, ...], config: Path) -> None:
        users = {"shop": PASSWORD, "narrow": NARROW_PASSWORD}
        scram = [
            f"--add-scram={mechanism}=[name={name},password={password}]"
            for mechanism in _MECHANISMS[1:]
            for name, password in users.items()
        ]
        cluster = ("--cluster-id=AAAAAAAAAAAAAAAAAAAAAA", f"--config={config}")
        command = [*java, "kafka.tools.StorageTool", "format", *cluster, *scram]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class SecuredValkey(Valkey):
    """A Valkey that knows one user. Its binary is built without TLS: `tls_proxy` stands before it."""

    def prepare(self, on_progress: Any) -> Any:
        launch = super().prepare(on_progress)
        with (self.home / "valkey" / "valkey.conf").open("a") as config:
            config.write(f'user default off\nuser shop on ">{PASSWORD}" ~* {_VALKEY_RIGHTS}\n')
        return launch

    def ready(self) -> bool:
        import redis

        with redis.Redis(HOST, self.ports[0], username="shop", password=PASSWORD) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False


@dataclass(frozen=True)
class SecuredTriton(TritonServer):
    """A Triton that speaks TLS, and to those alone that send its header."""

    pem: Pem

    def _options(self, backends: Path) -> tuple[str, ...]:
        return (
            *super()._options(backends),
            "--grpc-use-ssl=1",
            f"--grpc-server-cert={self.pem.server_cert}",
            f"--grpc-server-key={self.pem.server_key}",
            f"--grpc-restricted-protocol=health,metadata,inference,model-repository:shop={TOKEN}",
        )


@contextmanager
def tls_proxy(pem: Pem, port: int, behind: int) -> Generator[None]:
    """TLS on `port`, taken off before `behind`: as stunnel does, and managed stores."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem.server_cert, pem.server_key)
    loop = asyncio.new_event_loop()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_connection(HOST, behind)
        await asyncio.gather(carry(reader, back_writer), carry(back_reader, writer))

    server = loop.run_until_complete(asyncio.start_server(serve, HOST, port, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


class SecuredStack(NamedTuple):
    """Where the secured servers are.

    Attributes:
        admin: Kafka's own listener for whoever runs it.
        sasl_tls, tls, sasl: Kafka's other listeners.
        environment: what a careful user sets.
    """

    admin: str
    sasl_tls: str
    tls: str
    sasl: str
    pem: Pem
    home: Path
    environment: Mapping[str, str]


@pytest.fixture(scope="session")
def secured_stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[SecuredStack]:
    """The secured servers, with the rights for `shop` that the documentation asks for."""
    with running_securely(tmp_path_factory.mktemp("secured")) as stack:
        grant_rights(stack.admin, stack.environment["HEADRACE_GROUP"])
        yield stack


@contextmanager
def running_securely(home: Path) -> Generator[SecuredStack]:
    """The secured servers, which know their users and have granted them nothing yet."""
    pem = make_certificates(home)
    port = settings().port
    ports = port(19_194), port(19_195), port(19_196)
    kafka = SecuredKafka(home, (port(19_192), port(19_193)), pem, ports)
    valkey = SecuredValkey(home, (port(16_479),))
    triton = SecuredTriton(home, (port(18_101), port(18_100), port(18_102)), home / "models", pem)
    with ExitStack() as stack:
        launched = {server: _start(server, stack) for server in (valkey, triton, kafka)}
        await_ready(launched, lambda _: None)
        stack.enter_context(tls_proxy(pem, port(16_480), valkey.ports[0]))
        secured = [f"localhost:{at}" for at in ports]
        password = home / "password"
        password.write_text(f"{PASSWORD}\n")
        environment = {
            "HEADRACE_HOME": str(home),
            "HEADRACE_KAFKA": secured[0],
            "HEADRACE_KAFKA_SECURITY": "sasl_tls",
            "HEADRACE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "HEADRACE_KAFKA_USERNAME": "shop",
            "HEADRACE_KAFKA_PASSWORD": PASSWORD,
            "HEADRACE_KAFKA_CA": str(pem.ca),
            "HEADRACE_REDIS": f"rediss://shop@localhost:{port(16_480)}/3?ssl_ca_certs={pem.ca}",
            "HEADRACE_REDIS_PASSWORD_FILE": str(password),
            "HEADRACE_TRITON": f"localhost:{triton.ports[0]}",
            "HEADRACE_TRITON_TLS": "on",
            "HEADRACE_TRITON_CA": str(pem.ca),
            "HEADRACE_TRITON_HEADERS": f"triton-grpc-protocol-shop={TOKEN}",
            "HEADRACE_MODEL_REPO": str(home / "models"),
            "HEADRACE_METRICS_PORT": "0",
            "HEADRACE_GROUP": "secured",
        }
        yield SecuredStack(kafka.address, *secured, pem, home, environment)


def grant_rights(admin: str, group: str) -> None:
    """What `docs/how-to/connect-your-cluster.md` says that a user of Headrace needs, and nothing else."""
    topics = [*Topic, f"headrace.{group}."]
    rights = [(ResourceType.TOPIC, topic, operation) for topic in topics for operation in _TOPIC_RIGHTS]
    rights += [(ResourceType.GROUP, group, operation) for operation in _GROUP_RIGHTS]
    with connect(KafkaConnection(admin), 10_000) as client:
        client.create_acls([_allow(*right) for right in rights])


def _allow(kind: ResourceType, name: str, operation: ACLOperation) -> ACL:
    how = ACLResourcePatternType.PREFIXED if name.endswith(".") else ACLResourcePatternType.LITERAL
    return ACL("User:shop", "*", operation, ACLPermissionType.ALLOW, ResourcePattern(kind, name, how))


def _start(server: Server, stack: ExitStack) -> Any:
    require_free_ports(server)
    record = start(server.prepare(lambda _: None), server)
    stack.callback(lambda: stop([p for p in [record.process()] if p is not None], 20.0))
    return record
