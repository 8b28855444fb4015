"""How a process of Headrace logs, a worker as well as what keeps workers alive: text, or one JSON object a line.

The standard library does it in a few lines; a package for it would be one more to keep for every worker.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Final

from headrace.settings.model import LogForm

_QUIET: Final = ("faust", "mode", "aiokafka")  # they warn of every heartbeat that comes during a rebalance
# What stops the worker is told once, at the end: not by Faust with its trace, nor by the client that looks at the
# topics at start with each of its tries.
_SILENT: Final = ("faust.worker", "kafka")
_OURS: Final = ("streams", "feature_repo")
_STANDARD: Final = logging.makeLogRecord({}).__dict__.keys() | {"message", "asctime", "taskName"}


def level_number(level: str | int) -> int:
    """A level as the standard library counts it."""
    return level if isinstance(level, int) else logging.getLevelNamesMapping()[level.upper()]


def set_up(form: LogForm, level: int) -> None:
    """Log to standard error from now on. Below INFO it is Headrace that speaks, not the libraries it uses."""
    logging.basicConfig(handlers=[_handler(form)], level=max(level, logging.INFO), force=True)
    for name in _OURS:
        logging.getLogger(name).setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    logging.captureWarnings(form is LogForm.JSON)


def report(text: str, form: LogForm, level: int = logging.INFO, failure: BaseException | None = None) -> None:
    """Write one line whatever is worth a line: as it is, for whoever waits for it, or in a JSON object.

    Args:
        level: what a JSON object says of itself.
        failure: what is to be shown with its trace.
    """
    if form is LogForm.JSON:
        trace = (type(failure), failure, failure.__traceback__) if failure else None
        _handler(form).handle(logging.LogRecord("headrace", level, "", 0, text, None, trace))
        return
    if failure:
        traceback.print_exception(failure)
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


class TextLines(logging.Formatter):
    """Time, level, logger, message, and the fields of the call as JSON behind it, so that none can feign a line."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (the library's name)
        """The line without its trace."""
        fields = _fields(record)
        return f"{super().formatMessage(record)} {_json(fields)}" if fields else super().formatMessage(record)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, pid, message, the fields of the call, the exception as text."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with nothing in it but ASCII, which no locale can spoil."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "pid": record.process,
            "message": record.getMessage(),
        }
        for name, value in _fields(record).items():
            line.setdefault(name, value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _json(line)


def _handler(form: LogForm) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form is LogForm.JSON else TextLines())
    return handler


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What the call has given as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _json(fields: dict[str, Any]) -> str:
    return json.dumps(fields, default=str)
