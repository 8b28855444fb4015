"""Good events as other producers would write them: framed, enveloped, encoded twice or otherwise."""

import gzip
import json
from collections.abc import Callable
from typing import Any, Final

from benchmarks.malformed.record import Malformed, as_json, because
from headrace.errors import Reason

Maker = Callable[[dict[str, Any]], Malformed]


def _framed(event: dict[str, Any]) -> Malformed:
    return because(b"\x00\x00\x00\x00\x07" + as_json(event), Reason.INVALID_JSON)


def _binary(event: dict[str, Any]) -> Malformed:
    return because(b"\x00\x00\x01\x86\xa1\x02" + event["event_id"].encode(), Reason.INVALID_JSON, Reason.NOT_UTF8)


def _compressed(event: dict[str, Any]) -> Malformed:
    return because(gzip.compress(as_json(event), mtime=0), Reason.INVALID_JSON, Reason.NOT_UTF8)


def _marked(event: dict[str, Any]) -> Malformed:
    return because(b"\xef\xbb\xbf" + as_json(event), Reason.INVALID_JSON)


def _wide(event: dict[str, Any]) -> Malformed:
    return because(json.dumps(event).encode("utf-16"), Reason.INVALID_JSON, Reason.NOT_UTF8)


def _listed(event: dict[str, Any]) -> Malformed:
    return because(as_json([event, event]), Reason.WRONG_TYPE)


def _twice(event: dict[str, Any]) -> Malformed:
    return because(as_json(json.dumps(event)), Reason.WRONG_TYPE)


def _lines(event: dict[str, Any]) -> Malformed:
    return because(as_json(event) + b"\n" + as_json(event), Reason.INVALID_JSON)


def _cloud_event(event: dict[str, Any]) -> Malformed:
    return because(as_json({"specversion": "1.0", "id": "1", "source": "/", "data": event}), Reason.MISSING_FIELD)


def _change(event: dict[str, Any]) -> Malformed:
    return because(as_json({"before": None, "after": event, "op": "c"}), Reason.MISSING_FIELD)


def _connect(event: dict[str, Any]) -> Malformed:
    return because(as_json({"schema": {"type": "struct"}, "payload": event}), Reason.MISSING_FIELD)


def _camel(event: dict[str, Any]) -> Malformed:
    return because(as_json({"eventId": event["event_id"], "userId": event["user_id"]}), Reason.MISSING_FIELD)


def _table(event: dict[str, Any]) -> Malformed:
    return because(",".join(map(str, event.values())).encode(), Reason.INVALID_JSON)


def _python(event: dict[str, Any]) -> Malformed:
    return because(repr(event).encode(), Reason.INVALID_JSON)


FOREIGN: Final[tuple[Maker, ...]] = (
    _framed,
    _binary,
    _compressed,
    _marked,
    _wide,
    _listed,
    _twice,
    _lines,
    _cloud_event,
    _change,
    _connect,
    _camel,
    _table,
    _python,
)
