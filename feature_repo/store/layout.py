"""Where a row stands in Redis: Feast's own keys, fields and values, spelled out without importing Feast.

A row is one hash. Its key is Feast's serialised entity key (version 3) followed by the project, which is the group, so
that a second group shares nothing. A view adds two fields: its packed feature, named by MurmurHash3 of "view:feature",
and `_ts:view`, the event time. `_fence` and `_seen` are the workers' bookkeeping; Feast reads past them.
The worker writes half a million rows a minute and starts in a second: Feast's own functions allow neither.
"""

import struct
from enum import StrEnum
from functools import lru_cache
from typing import Final

import mmh3


class Kind(StrEnum):
    """What a row describes. A shard is bookkeeping of a partition: no Feast view, in no dump.

    What changes with every event and what seldom does are views of their own: a write may leave one as it is.
    """

    USER = "user"
    ITEM = "item"
    SHARD = "shard"


JOIN_KEY: Final[dict[Kind, str]] = {Kind.USER: "user_id", Kind.ITEM: "item_id", Kind.SHARD: "shard_id"}
VIEWS: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.USER: ("shopper", "scenario_views"),
    Kind.ITEM: ("item_catalogue", "item_activity", "item_windows"),
    Kind.SHARD: ("shard", "shard_bulk"),
}
#: The one packed feature of each view; names differ, so that one request may ask for several views.
FEATURE: Final[dict[str, str]] = {
    "shopper": "shopper_state",
    "scenario_views": "scenario_views_state",
    "item_catalogue": "catalogue_state",
    "item_activity": "activity_state",
    "item_windows": "windows_state",
    "shard": "shard_state",
    "shard_bulk": "shard_bulk_state",
}
FENCE: Final = b"_fence"
SEEN: Final = b"_seen"

_STRING: Final = 2  # feast.types.ValueType.STRING
_LENGTH: Final = struct.Struct("<I")
_BYTES_VAL: Final = b"\x0a"  # field 1 of feast.types.Value, length-delimited
_SECONDS: Final = b"\x08"  # field 1 of google.protobuf.Timestamp
_NANOS: Final = b"\x10"  # field 2


def _key_prefix(kind: Kind) -> bytes:
    name = JOIN_KEY[kind].encode()
    return struct.pack("<III", 1, _STRING, len(name)) + name + _LENGTH.pack(_STRING)


_PREFIX: Final[dict[Kind, bytes]] = {kind: _key_prefix(kind) for kind in Kind}


def row_key(kind: Kind, key: str, group: str) -> bytes:
    """The Redis key of a row."""
    value = key.encode()
    return _PREFIX[kind] + _LENGTH.pack(len(value)) + value + group.encode()


def scan_pattern(kind: Kind, group: str) -> bytes:
    """A glob that every row of the kind and group matches, and rows of groups that end alike as well."""
    return _PREFIX[kind] + b"*" + group.encode()


def entity_of(kind: Kind, redis_key: bytes, group: str) -> str | None:
    """The user or item of a key that `scan_pattern` found; None when it belongs to another group."""
    key, project = _split(kind, redis_key)
    return key.decode() if project == group.encode() else None


def kind_and_key(redis_key: bytes) -> tuple[Kind, str]:
    """What `row_key` was made of, for people."""
    kind = next(kind for kind in Kind if redis_key.startswith(_PREFIX[kind]))
    return kind, _split(kind, redis_key)[0].decode()


def _split(kind: Kind, redis_key: bytes) -> tuple[bytes, bytes]:
    start = len(_PREFIX[kind]) + _LENGTH.size
    (length,) = _LENGTH.unpack_from(redis_key, start - _LENGTH.size)
    return redis_key[start : start + length], redis_key[start + length :]


def feature_field(view: str) -> bytes:
    """The hash field that holds a view's packed feature."""
    return _LENGTH.pack(mmh3.hash(f"{view}:{FEATURE[view]}", signed=False))


def time_field(view: str) -> bytes:
    """The hash field that holds a view's event time."""
    return f"_ts:{view}".encode()


@lru_cache(maxsize=8_192)
def wrapping(length: int) -> bytes:
    """What comes before a packed state to make it the serialised Feast value of a Bytes feature."""
    return _BYTES_VAL + _varint(length)


def unwrap(value: bytes) -> bytes:
    """The packed state in a serialised value; no bytes give no bytes."""
    at = 1
    while at < len(value) and value[at] & 0x80:
        at += 1
    return value[at + 1 :]


def timestamp(time_ms: int) -> bytes:
    """An event time (ms since 1970 UTC) as a serialised protobuf Timestamp, which leaves zeros out."""
    seconds, millis = divmod(time_ms, 1_000)
    # No two events have the same time, but of seconds few are in use, and of milliseconds there are a thousand.
    return _seconds(seconds) + _MILLIS[millis]


def _part(tag: bytes, number: int) -> bytes:
    return tag + _varint(number) if number else b""


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


@lru_cache(maxsize=4_096)
def _seconds(seconds: int) -> bytes:
    return _part(_SECONDS, seconds)


_MILLIS: Final = [_part(_NANOS, millis * 1_000_000) for millis in range(1_000)]
