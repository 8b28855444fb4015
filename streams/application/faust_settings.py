"""What Faust's application is set to, for a worker of Headrace."""

import os
from typing import Any

import faust

from headrace.connections.files import revealed
from headrace.connections.kafka import KafkaConnection
from headrace.settings.model import Settings
from headrace.topics import MAX_MESSAGE_BYTES
from streams.application.faust_worker import WorkerProcess
from streams.kafka.admin.membership import client_id


def faust_settings(settings: Settings) -> dict[str, Any]:
    """Of the application of one worker."""
    return {
        "id": settings.group,
        "broker_client_id": client_id(os.getpid()),
        "broker": [f"kafka://{address}" for address in settings.kafka_address.split(",")],
        "broker_credentials": _credentials(settings.kafka_connection),
        "autodiscover": False,
        "store": "memory://",
        "datadir": settings.home.absolute() / "faust",
        "Worker": WorkerProcess,
        "worker_redirect_stdouts": False,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "stream_wait_empty": True,
        # A crashed worker's partitions wait this long for their successor.
        "broker_session_timeout": 10.0,
        "broker_heartbeat_interval": 3.0,
        # A batch may wait for Redis or Triton to come back; past this the partition goes to another worker.
        "broker_max_poll_interval": 900.0,
        "broker_commit_interval": 0.3,
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": MAX_MESSAGE_BYTES,
    }


def _credentials(connection: KafkaConnection) -> faust.SASLCredentials | faust.SSLCredentials | None:
    context = connection.context() if connection.security.tls else None
    if connection.login is not None:
        mechanism, username, password = connection.login
        return faust.SASLCredentials(
            username=username, password=revealed(password), ssl_context=context, mechanism=mechanism.value
        )
    return None if context is None else faust.SSLCredentials(context)
