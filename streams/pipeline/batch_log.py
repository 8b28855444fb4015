"""The batch log of a worker: a few lines a batch at most, with ids to find an event by, and nothing else of it."""

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw, Struct

from headrace.errors import Reason, ScenarioFailed
from headrace.messages.events import Event, Id
from streams.kafka.transport import Batch
from streams.pipeline.poison import PoisonRecord
from streams.pipeline.shoppers.decode import Rejected
from streams.serving.shopper_scorer.fallback import MODEL_UNAVAILABLE

if TYPE_CHECKING:
    from streams.pipeline.shoppers.build import Answered

logger = logging.getLogger(__name__)

_MAX_EXAMPLES: Final = 5
"""A line says how many there are, and which these were: `dead.letters` has all, and at level DEBUG so has the log."""

_LONGEST_ID: Final = 128
"""The contract bounds every id but that of a request."""


class _Ids(Struct):
    """The ids of any input, each as it stands: one that is wrong hides no other."""

    event_id: Raw = Raw()
    request_id: Raw = Raw()
    item_id: Raw = Raw()
    user_id: Raw = Raw()


def dead_letters(rejected: Sequence[Rejected]) -> None:
    """Log the dead letters of a batch, a line for each reason."""
    if not rejected or not logger.isEnabledFor(logging.WARNING):
        return
    by_reason: dict[Reason, list[Rejected]] = {}
    for one in rejected:
        by_reason.setdefault(one.error.reason, []).append(one)
    for reason, those in by_reason.items():
        records = [{**one.position._asdict(), **ids_in(one.record.value)} for one in those[:_MAX_EXAMPLES]]
        logger.warning("dead letters", extra={"reason": reason, "count": len(those), "records": records})


def poison(poison_record: PoisonRecord) -> None:
    """Log the record that a pure step raised on."""
    accepted = poison_record.accepted
    extra = {**accepted.position._asdict(), **_ids_of(accepted.input), "reason": Reason.PROCESSING_FAILED}
    logger.error("poison record dead-lettered: %s", poison_record, exc_info=poison_record, extra=extra)


def gave_up(batches: Sequence[Batch], error: Exception, failures: int) -> None:
    """Log batches that begin again, unless the worker ends."""
    if logger.isEnabledFor(logging.INFO):
        extra = {"reason": type(error).__name__, "failures": failures, "batches": _ranges(batches)}
        logger.info("batches aborted, to be processed again: %s", str(error) or repr(error), extra=extra)


def left_to_next_worker(batch: Batch) -> None:
    """Log a batch that the worker leaves, uncommitted, to the next one."""
    logger.info("batch left uncommitted to the next worker", extra={"batches": _ranges([batch])})


def timer_failed(failure: ScenarioFailed) -> None:
    """Log a scenario that raised for a timer, which is dropped."""
    logger.error("timer dropped: %s", failure, exc_info=failure, extra={"scenario": failure.scenario})


def windows_dropped(failure: ScenarioFailed, end: int) -> None:
    """Log a scenario that raised for a closed window, of which nothing goes out.

    Args:
        end: of the window, ms.
    """
    extra = {"scenario": failure.scenario, "window_end": end}
    logger.error("closed window without outputs: %s", failure, exc_info=failure, extra=extra)


def answered(batch: Batch, answers: "Sequence[Answered]") -> None:
    """Log, at DEBUG, every event that outputs are emitted for; at INFO those that no model has answered.

    What a model has answered with a caveat (`unknown_user`, say) is daily business.
    """
    if logger.isEnabledFor(logging.INFO):
        failed = [one for one in answers if one.fallback == MODEL_UNAVAILABLE]
        if failed:
            extra = {"reason": MODEL_UNAVAILABLE, "count": len(failed), "event_ids": _names(failed)[:_MAX_EXAMPLES]}
            logger.info("outputs without the model", extra=extra)
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("outputs emitted", extra={"batches": _ranges([batch]), "event_ids": _names(answers)})


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


def _ids_of(input_: Any) -> dict[str, str]:
    ids = {name: getattr(input_, name, None) for name in ("event_id", "request_id", "user_id")}
    return {name: str(value)[:_LONGEST_ID] for name, value in ids.items() if value is not None}


def _names(answers: "Iterable[Answered]") -> list[str]:
    return list(dict.fromkeys(map(_name, answers)))


def _name(answer: "Answered") -> str:
    input_ = answer.pending.input
    if isinstance(input_, Event):
        return input_.event_id
    return str(getattr(input_, "request_id", answer.pending.output_id))[:_LONGEST_ID]


def _ranges(batches: Iterable[Batch]) -> list[dict[str, Any]]:
    return [
        {
            "topic": part.topic,
            "partition": part.partition,
            "first_offset": part.first_offset,
            "last_offset": part.last_offset,
        }
        for batch in batches
        for part in batch.parts
    ]
