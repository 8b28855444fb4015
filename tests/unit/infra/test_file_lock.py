"""A lock that one process holds at a time and that ends with its holder."""

import subprocess
import sys
from pathlib import Path

from infra.local.lock import exclusive

_HOLD = """
import sys, pathlib
from infra.local.lock import exclusive
with exclusive(pathlib.Path(sys.argv[1]), lambda: None):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_free_lock_is_taken_without_waiting(tmp_path: Path) -> None:
    waits: list[str] = []
    for _ in range(2):
        with exclusive(tmp_path / "run" / "lock", lambda: waits.append("waited")):
            pass
    assert waits == []


def test_a_held_lock_is_waited_for_until_its_holder_has_died(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    command = [sys.executable, "-c", _HOLD, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        waits: list[str] = []

        def on_wait() -> None:
            waits.append("waited")
            holder.kill()

        with exclusive(lock, on_wait):
            assert waits == ["waited"]
