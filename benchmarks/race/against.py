"""The worker of another checkout of the project, say of the commit before, as a contestant."""

from pathlib import Path
from typing import Final

from benchmarks.race.contestants import ALL, Contestant, and_internal
from headrace.errors import UsageError
from streams.testing.worker import READY

BEFORE: Final = "headrace-before"


def worker_of(checkout: Path) -> Contestant:
    """How the checkout's own worker is started, with the packages of its own environment.

    Raises:
        UsageError: it has no environment, or no worker.
    """
    root = checkout.absolute()
    python = root / ".venv" / "bin" / "python"
    if not python.exists():
        raise UsageError(f"--against {checkout}: {python} is not there: run scripts/bootstrap in that checkout")
    if (root / "headrace_cli").is_dir():
        module, pipelines = "headrace_cli", "HEADRACE_PIPELINE"
    elif (root / "streams" / "cli").is_dir():  # trees of before the commands moved
        module, pipelines = "streams.cli", "HEADRACE_ROAD"
    else:
        raise UsageError(f"--against {checkout}: it has no `headrace worker`: give the root of a checkout of Headrace")
    return Contestant(
        BEFORE,
        "Headrace of the other checkout, one worker",
        (str(python), "-m", module, "worker", "--processes", "1"),
        READY,
        and_internal,
        ALL,
        folder=root,
        pipelines=pipelines,
    )
