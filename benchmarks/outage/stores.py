"""Two stores behind one name, the second a replica of the first, and what can become of them."""

import subprocess
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import redis

from benchmarks.outage.forwarder import Forwarder, forwarding
from infra.local.server import HOST
from infra.local.valkey import Valkey

_POLL_S: Final = 0.05
_EVICTED: Final = 0.1
"""Share of the memory in use that a store is short of."""


class Stores:
    """A primary and its replica.

    Attributes:
        name: leads to the primary at first.
        primary, replica: their addresses.
    """

    def __init__(self, name: Forwarder, primary: str, replica: str) -> None:
        self.name, self.primary, self.replica = name, primary, replica

    def fail_over(self) -> None:
        """Make the replica the primary and the primary its replica; who is connected stays so."""
        client(self.replica).execute_command("REPLICAOF", "NO", "ONE")
        self.name.target = self.replica
        client(self.primary).execute_command("REPLICAOF", *self.replica.split(":"))

    def part(self) -> None:
        """Let the replica hear of nothing any more."""
        client(self.replica).execute_command("REPLICAOF", "NO", "ONE")

    def lose_primary(self) -> None:
        """Lead everybody to the replica, as when the primary is gone."""
        self.name.target = self.replica
        self.name.cut()

    def flush(self) -> None:
        """Empty the primary."""
        client(self.primary).flushall()

    def evict(self) -> None:
        """Let the primary drop rows, whichever, for want of memory."""
        admin = client(self.primary)
        used = admin.info("memory")["used_memory"]
        admin.config_set("maxmemory-policy", "allkeys-random")
        admin.config_set("maxmemory", int(used * (1 - _EVICTED)))

    @property
    def address(self) -> str:
        """Of the store that the name leads to now."""
        return self.name.target


def client(address: str) -> redis.Redis:
    """A connection to one of them."""
    host, _, port = address.rpartition(":")
    return redis.Redis(host, int(port))


@contextmanager
def stores(home: Path, ports: tuple[int, int]) -> Generator[Stores]:
    """Start both, as the local stack configures its own, with nothing in them."""
    with ExitStack() as stack:
        primary = stack.enter_context(_valkey(home / "primary", ports[0]))
        replica = stack.enter_context(_valkey(home / "replica", ports[1]))
        client(primary).flushall()
        client(primary).config_set("repl-diskless-sync-delay", 0)
        client(replica).config_set("repl-diskless-sync-delay", 0)
        client(replica).execute_command("REPLICAOF", *primary.split(":"))
        while client(replica).info("replication")["master_link_status"] != "up":
            time.sleep(_POLL_S)
        yield Stores(stack.enter_context(forwarding(primary)), primary, replica)


@contextmanager
def _valkey(home: Path, port: int) -> Generator[str]:
    server = Valkey(home, (port,))
    command, environment = server.prepare(lambda _: None)
    process = subprocess.Popen(command, env=dict(environment), stdout=subprocess.DEVNULL)
    try:
        while not server.ready():
            time.sleep(_POLL_S)
        yield f"{HOST}:{port}"
    finally:
        process.kill()
        process.wait()
