"""A worker's place in its group, found from outside by its process."""

import logging
from socket import gethostname

from headrace.errors import StackError
from headrace.settings.model import Settings
from streams.kafka.admin.broker import Broker

log = logging.getLogger(__name__)


def client_id(pid: int) -> str:
    """What the worker that is process `pid` of this host calls itself before Kafka."""
    return f"headrace-{gethostname()}-{pid}"


def take_out(settings: Settings, pid: int) -> None:
    """Take a dead worker out of its group: its partitions need not wait until its session has timed out.

    Where Kafka does not answer they wait.
    """
    try:
        with Broker(settings.kafka_connection) as broker:
            members = broker.members(settings.group)
            gone = [member for member, client in members.items() if client == client_id(pid)]
            if gone:
                broker.take_out(settings.group, gone)
                log.info("worker %d removed from the consumer group", pid)
    except StackError as error:
        log.info("worker %d stays in the consumer group until its session times out: %s", pid, error)
