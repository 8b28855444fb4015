"""Turn the bytes of an input record into its message, or say which defect keeps it from being one.

The fast path is one typed decoder. Only a record that it refuses is taken apart field by field, because the
contract is kinder than the decoder (of a repeated key the last counts, `2.0` is an integer, what holds nothing is as
good as absent) and a dead letter names its reason.
Both paths are functions of the bytes alone: the same record is judged the same way everywhere. Both take time that
grows with its length alone.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from headrace.errors import BadRecord, Reason
from headrace.messages import lookalikes
from headrace.messages.events import NEEDED, Event, Id
from headrace.messages.fields import OnSkipped, seconds_hint
from headrace.messages.form import Form
from headrace.messages.items import Item, Withdrawn
from headrace.messages.requests import ScoreRequest
from headrace.settings.model import Settings

_EVENT: Final = Form(Event, NEEDED)
_ITEM: Final = Form(Item)
_NULL: Final = b"null"

Decode = Callable[..., Any]
"""Bytes of a record to its message; arguments and errors as of `decode_event`."""


def _ignore(_: str) -> None:
    return None


def decode_event(
    value: bytes | None, *, appended_ms: int, settings: Settings, on_skipped: OnSkipped = _ignore
) -> Event:
    """Decode a record of `events`.

    A null value has no field at all, so it is refused as `missing_field`.

    Args:
        value: the record's bytes.
        appended_ms: append time of the record, ms since 1970 UTC.
        settings: `max_event_bytes`, `past` and `future` count.
        on_skipped: called with the name of each pair of the context that is left out.

    Raises:
        BadRecord: the record breaks the contract.
    """
    event = _EVENT.decode(value, settings.max_event_bytes, on_skipped)
    needed = NEEDED[event.type]
    if getattr(event, needed) is None:
        raise BadRecord(Reason.MISSING_FIELD, f"The field `{needed}` is missing: type `{event.type}` needs it.")
    _check_time(event.timestamp, appended_ms, settings)
    return event


def request_decoder(message: type[Struct]) -> Decode:
    """How requests of one kind are decoded: a function with the arguments and errors of `decode_event`.

    Args:
        message: with `user_id` and `timestamp`.
    """
    form = Form(message)

    def decode(value: bytes | None, *, appended_ms: int, settings: Settings, on_skipped: OnSkipped = _ignore) -> Any:
        request: Any = form.decode(value, settings.max_event_bytes, on_skipped)
        _check_time(request.timestamp, appended_ms, settings)
        return request

    return decode


def request_decoders(settings: Settings) -> Mapping[str, Decode]:
    """How the requests of each topic are decoded, of all scenarios that run.

    Raises:
        ScenarioError: they cannot be loaded.
    """
    from headrace.scenarios.registry import installed

    return {topic.name: request_decoder(topic.message) for topic in installed(settings.scenarios).inputs}


decode_request: Final = request_decoder(ScoreRequest)
"""Decodes a record of `score.requests`."""


def decode_item(key: bytes | None, value: bytes | None, *, appended_ms: int, settings: Settings) -> Item | Withdrawn:
    """Decode a record of `items`: the value's item, whatever the key says, or the one that the key withdraws.

    A null value withdraws, and so do an empty one and the JSON `null`: clients differ in which of them they write.

    Raises:
        BadRecord: the value breaks the contract, or a value that withdraws has a key that is no item id.
    """
    if not value or (value[:1] != b"{" and len(value) <= settings.max_event_bytes and value.strip() == _NULL):
        return Withdrawn(_withdrawn_id(key))
    item = _ITEM.decode(value, settings.max_event_bytes, _ignore)
    if item.timestamp is not None:
        _check_time(item.timestamp, appended_ms, settings)
    return item


def _check_time(timestamp: int, appended_ms: int, settings: Settings) -> None:
    if timestamp > appended_ms + settings.future:
        ahead = (timestamp - appended_ms) // 1000
        raise BadRecord(Reason.TIMESTAMP_IN_FUTURE, f"The field `timestamp` lies {ahead} s after the time of arrival.")
    if timestamp < settings.past:
        detail = f"The field `timestamp` lies before `HEADRACE_PAST`: {seconds_hint(timestamp)}."
        raise BadRecord(Reason.OUT_OF_RANGE, detail)


def _withdrawn_id(key: bytes | None) -> str:
    detail = "The field `item_id` is missing: the value withdraws an item and the key is no item id"
    if hint := lookalikes.of_key(key or b""):
        raise BadRecord(Reason.MISSING_FIELD, f"{detail}; {hint}.")
    try:
        return msgspec.convert((key or b"").decode(), Id)
    except (UnicodeDecodeError, msgspec.ValidationError) as error:
        raise BadRecord(Reason.MISSING_FIELD, f"{detail}.") from error
