"""What a worker logs of its loads: a few lines a load at most, with ids to find an event by, and nothing else of it."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from streams.engine.fallback import MODEL_UNAVAILABLE
from streams.engine.folding import Asked
from streams.engine.intake import Refused
from streams.engine.poison import Poisoned
from streams.engine.questions import Caused
from streams.errors import Reason
from streams.messages.events import Event, Id
from streams.transport import Load

logger = logging.getLogger(__name__)

_SHOWN: Final = 5
"""A line says how many there are, and which these were: `dead.letters` has all, and at level DEBUG so has the log."""

_LONGEST_ID: Final = 128
"""The contract bounds every id but that of a request."""


class _Ids(Struct):
    """The ids of any input, each as it stands: one that is wrong hides no other."""

    event_id: Raw = Raw()
    request_id: Raw = Raw()
    item_id: Raw = Raw()
    user_id: Raw = Raw()


def dead_letters(refused: Sequence[Refused]) -> None:
    """Tell of the dead letters of a load, a line for each reason."""
    if not refused or not logger.isEnabledFor(logging.WARNING):
        return
    by_reason: dict[Reason, list[Refused]] = {}
    for one in refused:
        by_reason.setdefault(one.why.reason, []).append(one)
    for reason, those in by_reason.items():
        records = [{**one.place._asdict(), **ids_in(one.record.value)} for one in those[:_SHOWN]]
        logger.warning("dead letters", extra={"reason": reason, "count": len(those), "records": records})


def poisoned(poison: Poisoned) -> None:
    """Tell of the record that a pure step raised on."""
    taken = poison.taken
    extra = {**taken.place._asdict(), **_ids_of(taken.cause), "reason": Reason.PROCESSING_FAILED}
    logger.error("%s is left out", poison, exc_info=poison, extra=extra)


def given_up(loads: Sequence[Load], error: Exception, failures: int) -> None:
    """Tell of loads that begin again, unless the worker ends."""
    if logger.isEnabledFor(logging.INFO):
        extra = {"reason": type(error).__name__, "failures": failures, "chunks": _ranges(loads)}
        logger.info("given up, to begin again: %s", str(error) or repr(error), extra=extra)


def left(load: Load) -> None:
    """Tell of a load that the worker leaves, uncommitted, to the next one."""
    logger.info("left to the next worker", extra={"chunks": _ranges([load])})


def answered(load: Load, asked: Sequence[Asked], fallbacks: Sequence[str | None]) -> None:
    """Tell, at DEBUG, of every event that is answered; at INFO of those that no model has answered.

    What a model has answered with a caveat (`unknown_user`, say) is daily business.
    """
    if logger.isEnabledFor(logging.INFO):
        pairs = zip(asked, fallbacks, strict=True)
        causes = [one.question.cause for one, fallback in pairs if fallback == MODEL_UNAVAILABLE]
        if causes:
            extra = {"reason": MODEL_UNAVAILABLE, "count": len(causes), "event_ids": _names(causes)[:_SHOWN]}
            logger.info("answered without the model", extra=extra)
    if logger.isEnabledFor(logging.DEBUG):
        names = _names(one.question.cause for one in asked)
        logger.debug("answered", extra={"chunks": _ranges([load]), "event_ids": names})


def ids_in(value: bytes | None) -> dict[str, str]:
    """The ids that bytes hold, where they are ids; nothing is certain of a record that was refused."""
    found: dict[str, str] = {}
    try:
        raw = msgspec.json.decode(value or b"", type=_Ids)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return found
    for name in raw.__struct_fields__:
        try:
            found[name] = msgspec.json.decode(getattr(raw, name), type=Id)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return found


def _ids_of(cause: Caused) -> dict[str, str]:
    name = "event_id" if isinstance(cause, Event) else "request_id"
    return {name: _name(cause), "user_id": cause.user_id}


def _names(causes: Iterable[Caused]) -> list[str]:
    return list(dict.fromkeys(map(_name, causes)))


def _name(cause: Caused) -> str:
    return cause.event_id if isinstance(cause, Event) else cause.request_id[:_LONGEST_ID]


def _ranges(loads: Iterable[Load]) -> list[dict[str, Any]]:
    return [
        {
            "topic": chunk.topic,
            "partition": chunk.partition,
            "first_offset": chunk.first_offset,
            "last_offset": chunk.last_offset,
        }
        for load in loads
        for chunk in load.chunks
    ]
