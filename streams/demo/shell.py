"""Runs the commands of the demonstration as a user would, in an environment of their own."""

import os
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from headrace.errors import CheckFailed
from streams.operations.console import console
from streams.testing.worker import Worker

_HEADRACE = (sys.executable, "-m", "headrace_cli")


class Shell:
    """A place to run `headrace` in.

    Args:
        env: variables that differ from this process's.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = {**os.environ, **env}

    def headrace(self, *words: str | Path) -> dict[str, object]:
        """Run one command with `--json` and return what its last line says.

        Raises:
            CheckFailed: the command failed; it has said why on standard error.
        """
        command = _shown(words)
        console.print(f"[dim]$[/dim] headrace {command}")
        done = subprocess.run(
            [*_HEADRACE, *map(str, words), "--json"], env=self._env, stdout=subprocess.PIPE, check=False
        )
        if done.returncode:
            raise CheckFailed(f"`headrace {command}` failed with exit code {done.returncode}.")
        lines = done.stdout.splitlines()
        return msgspec.json.decode(lines[-1]) if lines else {}

    @contextmanager
    def worker(self, log: Path) -> Generator[None]:
        """Run a worker, ready on entry, drained and stopped on exit; its log goes to a file.

        Raises:
            StackError: the worker ended before it was ready.
        """
        console.print("[dim]$[/dim] headrace worker --processes 1")
        worker = Worker(self._env, log)
        try:
            yield
        finally:
            worker.stop()


def _shown(words: Sequence[str | Path]) -> str:
    return " ".join(os.path.relpath(word) if isinstance(word, Path) else word for word in words)
