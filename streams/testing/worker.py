"""A Headrace worker as a process of a test."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from headrace.errors import StackError
from streams.operations.supervisor import COMMAND

READY = "headrace worker ready"
_POLL_S = 0.1
_LOG_LINES = 60
_LONGER_THAN_A_SUPERVISOR_S = 40.0
"""Killed, it would leave its processes behind: it has its own patience with them."""


class Worker:
    """One `headrace worker`, running from the call that makes it until `stop`.

    Args:
        environment: variables on top of this process's own.
        log: file for what it writes to standard output and error.
        within: seconds until it must be ready.
        command: what is started in a worker's place, and `ready` what it says when it is.
        processes: how many it starts, each of which says so.
        folder: where it is started; None for this process's own.

    Raises:
        StackError: it ended, or was not ready in time; with the end of its log.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        log: Path,
        within: float = 120.0,
        *,
        command: Sequence[str] = COMMAND,
        ready: str = READY,
        processes: int = 1,
        folder: Path | None = None,
    ) -> None:
        self.log = log
        self._ready = ready
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self._await_ready(within, processes)
        except BaseException:
            with suppress(StackError):  # what went wrong before is what there is to tell
                self.stop()
            raise

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def stop(self, within: float = _LONGER_THAN_A_SUPERVISOR_S) -> int:
        """Ask it to drain, commit and end (SIGTERM), and wait; its exit status. Harmless when it has ended.

        Raises:
            StackError: it did not end in time, and was killed.
        """
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise StackError(f"the worker did not end within {within:g} s of SIGTERM\n{self.log_tail()}") from None

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        self._process.kill()
        self._process.wait()

    def log_tail(self, lines: int = _LOG_LINES) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    def _await_ready(self, within: float, processes: int) -> None:
        deadline = time.monotonic() + within
        while self.log.read_text("utf-8", "replace").count(self._ready) < processes:
            if not self.running:
                code = self._process.returncode
                raise StackError(f"the worker ended with status {code} before it was ready\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise StackError(f"the worker was not ready within {within:g} s\n{self.log_tail()}")
            time.sleep(_POLL_S)
