"""Valkey processes for tests, and rows to write into them."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from feature_repo.store.row_store import Kind, RowWrite
from infra.local.server import HOST
from infra.local.valkey import Valkey


@contextlib.contextmanager
def running_valkey(home: Path, port: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Valkey process, with more options of its command line; its data stays in `home`."""
    server = Valkey(home, (port,))
    command, environment = server.prepare(print)
    process = subprocess.Popen([*command, *options], env=environment, stdout=subprocess.DEVNULL)
    try:
        while not server.ready():
            assert process.poll() is None, "Valkey died at start"
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def user(key: str, expected: bytes, fence: bytes, state: bytes | None = b"state", at: int = 1_000) -> RowWrite:
    """A write of a shopper's row."""
    return RowWrite(Kind.USER, key, expected, fence, b"seen", (state, b""), at)
