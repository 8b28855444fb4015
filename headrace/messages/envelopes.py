"""What a JSON object looks like that lacks fields: a message in an envelope, or with its names spelled differently.

As in `lookalikes`, a hint for a dead letter that decides nothing.
"""

import re
from collections.abc import Iterable, Mapping, Set
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Raw

from headrace.messages.lookalikes import sentence

_NO_SCHEMA: Final = "value.converter.schemas.enable=false"
_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")
_INNER: Final = ("body", "data", "event", "item", "message", "payload", "properties", "record", "value")
_MOST_NAMES: Final = 1_000
_pairs: Final = msgspec.json.Decoder(dict[str, Raw])


def of_object(value: bytes, wanted: Iterable[str]) -> str | None:
    """What an object looks like that lacks fields.

    Args:
        wanted: names of the fields that a message must have.
    """
    try:
        fields = _pairs.decode(value)
    except msgspec.DecodeError:
        return None
    return _envelope(fields, frozenset(wanted)) or _spelling(fields, wanted)


def _envelope(fields: Mapping[str, Raw], wanted: frozenset[str]) -> str | None:
    names = fields.keys()
    payload = _inside(fields["payload"]) if "payload" in names else frozenset[str]()
    if "specversion" in names:
        inner = "data" if "data" in names else "data_base64"
        return sentence("a CloudEvents envelope", f"produce what is in its `{inner}`")
    if _is_change(names) or _is_change(payload):
        return sentence("a Debezium envelope", f"produce the row alone (`ExtractNewRecordState`, `{_NO_SCHEMA}`)")
    if "schema" in names and payload:
        return sentence("a Kafka Connect envelope", f"set `{_NO_SCHEMA}`")
    for name in _INNER:
        if name in names and wanted & _inside(fields[name]):
            return sentence("an envelope", f"produce what is in its `{name}`")
    if "records" in names:
        return sentence("a request to a REST proxy", "produce what is in each `value`")
    return None


def _is_change(names: Set[str]) -> bool:
    return "op" in names and not names.isdisjoint({"before", "after"})


def _inside(raw: Raw) -> frozenset[str]:
    try:
        return frozenset(_pairs.decode(raw))
    except msgspec.DecodeError:
        return frozenset()


def _spelling(fields: Mapping[str, Raw], wanted: Iterable[str]) -> str | None:
    """A required field that is there under another spelling: `eventId`, `Event-Id`."""
    if len(fields) > _MOST_NAMES:
        return None
    plain = {_plain(name): name for name in fields if len(name) <= 64}
    for name in wanted:
        found = plain.get(_plain(name))
        if name not in fields and found is not None:
            return f"there is a field {found!r}: spell it `{name}`"
    return None


@lru_cache(maxsize=1_024)
def _plain(name: str) -> str:
    return _CAPITAL.sub(r"_\1", name).lower().replace("-", "_")
