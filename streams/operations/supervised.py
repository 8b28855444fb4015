"""Processes that end with the one that started them, however that one ends: each holds one end of a pipe.

The starter's end closes with its process, also where that is killed, and on every system; the other end is the standard
input of the one that was started, which needs none.
"""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from threading import Thread
from typing import IO, Final

log = logging.getLogger(__name__)

OPTION: Final = "--supervised"
_DRAIN_S: Final = 40.0
"""Longer than a supervisor waits for its own workers."""


def start_supervised(
    command: Sequence[str], env: Mapping[str, str], *, output: IO[bytes] | None = None, new_session: bool = False
) -> "subprocess.Popen[bytes]":
    """Start a command that takes `--supervised`; its process ends with this one.

    Args:
        output: where it writes to, standard error included; None for this process's own.
        new_session: out of reach of the terminal's Ctrl-C.
    """
    return subprocess.Popen(
        [*command, OPTION],
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        start_new_session=new_session,
    )


def end_with_starter(drain_s: float = _DRAIN_S) -> None:
    """Watch the standard input from a thread: when it ends, this process drains as after SIGTERM, and then ends.

    Args:
        drain_s: seconds until it is ended as it is.
    """
    Thread(target=_watch, args=(os.dup(0), drain_s), daemon=True).start()


def _watch(pipe: int, drain_s: float) -> None:
    while os.read(pipe, 1024):
        pass  # nobody writes
    log.warning("parent process has ended: stopping")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(drain_s)
    os.kill(os.getpid(), signal.SIGKILL)
