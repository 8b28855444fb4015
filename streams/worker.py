"""The process around the application: logging, signals, exit codes."""

import logging
import sys
import traceback
from typing import Any, NoReturn

import faust

from streams.errors import HeadraceError

_QUIET = ("faust", "mode", "aiokafka")  # they warn of every heartbeat that comes during a rebalance
# What stops the worker is told once, at the end: not by Faust with its trace, nor by the client that looks at the
# topics at start with each of its tries.
_SILENT = ("faust.worker", "kafka")


class Worker(faust.Worker):
    """Faust's worker with plain logs on standard error, and one line for what stopped it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.spinner = None

    def execute_from_commandline(self) -> NoReturn:
        """Run until stopped. Exits 0 after SIGTERM; otherwise with the error's code and its one line."""
        try:
            super().execute_from_commandline()
        except SystemExit as leaving:
            error = self._failure()
            if error is None:
                raise
            if not isinstance(error, HeadraceError):
                traceback.print_exception(error)
            text = str(error) if isinstance(error, HeadraceError) else f"{type(error).__name__}: {error}"
            sys.stderr.write(f"headrace: {text}\n")
            raise SystemExit(error.exit_code if isinstance(error, HeadraceError) else leaving.code or 1) from None

    def _failure(self) -> BaseException | None:
        starting = self._starting_fut
        raised = starting.exception() if starting and starting.done() and not starting.cancelled() else None
        return getattr(self.app, "failure", None) or raised or self.crash_reason

    def _setup_logging(self) -> None:
        level = self.loglevel or logging.INFO
        level = level.upper() if isinstance(level, str) else level
        logging.basicConfig(
            stream=sys.stderr,
            level=level,
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
            force=True,
        )
        for name in _QUIET:
            logging.getLogger(name).setLevel(logging.ERROR)
        for name in _SILENT:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
