"""The servers that tests share: the local stack, or those that the environment names."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import NamedTuple
from uuid import uuid4

from headrace.connections.addresses import masked
from headrace.settings.model import Settings, load_settings
from headrace.topics import topics_of
from streams.kafka.admin.broker import Broker


class Stack(NamedTuple):
    """Where the servers are, each as its variable is set; how to reach them safely, the environment says."""

    kafka: str
    redis: str
    triton: str

    def __repr__(self) -> str:
        return f"Stack(kafka={self.kafka!r}, redis={masked(self.redis)!r}, triton={self.triton!r})"

    def environment(self, group: str) -> Mapping[str, str]:
        """The variables that lead a process of `group` to these servers."""
        return {
            "HEADRACE_KAFKA": self.kafka,
            "HEADRACE_REDIS": self.redis,
            "HEADRACE_TRITON": self.triton,
            "HEADRACE_GROUP": group,
            "HEADRACE_METRICS_PORT": "0",
        }

    def settings(self, group: str) -> Settings:
        """This process's settings, for these servers and `group`."""
        servers = {"kafka": self.kafka, "redis": self.redis, "triton": self.triton}
        return load_settings().model_copy(update={**servers, "group": group})


@contextmanager
def running_stack() -> Generator[Stack]:
    """Start the local stack, or use what runs; what ran before stays, what was started here is stopped.

    Raises:
        StackError: a server cannot be started or reached.
    """
    from infra.local.stack import State, down, status, up

    settings = load_settings()
    ran_before = any(server.state is State.RUNNING for server in status(settings))
    addresses = up(settings, lambda _: None)
    try:
        # As it is set: what people are shown has no password in it.
        yield Stack(addresses.kafka, settings.redis or addresses.redis, addresses.triton)
    finally:
        if not ran_before:
            down(settings, lambda _: None)


def fresh_group(stack: Stack) -> str:
    """Name a new group that begins at the inputs' present ends: what earlier tests sent is not its business."""
    group = f"test-{uuid4().hex[:12]}"
    with Broker(stack.settings(group).kafka_connection) as broker:
        broker.start_group_at(group, broker.ends(topics_of(stack.settings(group)).inputs))
    return group


def forget_group(stack: Stack, group: str) -> None:
    """Delete what a group without workers has committed, so that none takes it for one that still answers."""
    with Broker(stack.settings(group).kafka_connection) as broker:
        broker.forget_group(group)
