"""The process around the application: logging, signals, exit codes."""

import logging
from typing import Any, NoReturn, cast

import faust

from headrace.errors import HeadraceError
from headrace.settings.model import Settings
from streams.operations import logs


class WorkerProcess(faust.Worker):
    """Faust's worker with plain logs on standard error, and one line for what stopped it.

    Wraps `execute_from_commandline` (mode/worker.py:257) and replaces `_setup_logging` (mode/worker.py:172).
    """

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
            if isinstance(error, HeadraceError):
                logs.report(f"headrace: {error}", self._settings.log, logging.ERROR)
                raise SystemExit(error.exit_code) from None
            logs.report(f"headrace: {type(error).__name__}: {error}", self._settings.log, logging.ERROR, error)
            raise SystemExit(leaving.code or 1) from None

    @property
    def _settings(self) -> Settings:
        return cast(Any, self.app).settings

    def _failure(self) -> BaseException | None:
        starting = self._starting_fut
        raised = starting.exception() if starting and starting.done() and not starting.cancelled() else None
        return getattr(self.app, "failure", None) or raised or self.crash_reason

    def _setup_logging(self) -> None:
        # Faust's command always names a level, WARN where the user did not: the one that says more counts.
        levels = [logs.level_number(level) for level in (self._settings.log_level, self.loglevel) if level]
        logs.set_up(self._settings.log, min(levels))
