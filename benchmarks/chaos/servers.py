"""The servers of a stack of one's own, to be killed, stopped and brought back."""

import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Final

import psutil

from headrace.settings.model import Settings
from infra.local.stack import status, up

DURABLE: Final = ("kafka", "redis")
"""What they have said is so is still so when they come back."""
SERVERS: Final = (*DURABLE, "triton")


class Servers:
    """What can be done to them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @contextmanager
    def killed(self, name: str) -> Generator[None]:
        """Kill a server and its children (SIGKILL); at the end it is started again, and answers."""
        self._signal(name, signal.SIGKILL)
        try:
            yield
        finally:
            up(self._settings, lambda _: None)

    @contextmanager
    def stopped(self, name: str) -> Generator[None]:
        """Stop a server (SIGSTOP), so that connections stay open and nothing answers; at the end it goes on."""
        self._signal(name, signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(name, signal.SIGCONT)

    def _signal(self, name: str, number: signal.Signals) -> None:
        family = self._family(name)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        if number is signal.SIGKILL:
            psutil.wait_procs(family, timeout=10)

    def _family(self, name: str) -> list[psutil.Process]:
        pid = next(server.pid for server in status(self._settings) if server.name == name)
        if pid is None:
            return []
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
