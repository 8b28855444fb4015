"""Runs the commands of the demonstration as a user would, in an environment of their own."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import msgspec

from streams.cli.output import console
from streams.errors import CheckFailed

_HEADRACE = (sys.executable, "-m", "streams.cli")
READY = "headrace worker ready"
_STOP_S = 30


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
        said = _shown(words)
        console.print(f"[dim]$[/dim] headrace {said}")
        done = subprocess.run(
            [*_HEADRACE, *map(str, words), "--json"], env=self._env, stdout=subprocess.PIPE, check=False
        )
        if done.returncode:
            raise CheckFailed(f"`headrace {said}` failed with exit code {done.returncode}.")
        lines = done.stdout.splitlines()
        return msgspec.json.decode(lines[-1]) if lines else {}

    @contextmanager
    def worker(self, log: Path) -> Generator[None]:
        """Run a worker, ready on entry, drained and stopped on exit; its log goes to a file.

        Raises:
            CheckFailed: the worker ended before it was ready.
        """
        console.print("[dim]$[/dim] headrace worker")
        process = subprocess.Popen([*_HEADRACE, "worker"], env=self._env, stderr=subprocess.PIPE, text=True)
        try:
            _wait_ready(process, log)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _shown(words: Sequence[str | Path]) -> str:
    return " ".join(os.path.relpath(word) if isinstance(word, Path) else word for word in words)


def _wait_ready(process: "subprocess.Popen[str]", log: Path) -> None:
    ready: Queue[bool] = Queue()
    threading.Thread(target=_drain, args=(process, log, ready), daemon=True).start()
    if not ready.get():
        last = log.read_text().splitlines()[-1:] or ["it wrote no log"]
        raise CheckFailed(f"the worker ended before it was ready: {last[0]} (whole log: {log})")


def _drain(process: "subprocess.Popen[str]", log: Path, ready: "Queue[bool]") -> None:
    assert process.stderr is not None
    with log.open("w") as file:
        for line in process.stderr:
            file.write(line)
            file.flush()
            if READY in line:
                ready.put(True)
    ready.put(False)
