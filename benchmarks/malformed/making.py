"""Records that break the contract in a known way: a good event, and one defect put into it."""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

from benchmarks.malformed.foreign import FOREIGN
from benchmarks.malformed.long import LONG
from benchmarks.malformed.record import Malformed, as_json, because
from headrace.errors import Reason
from headrace.messages.depth import MAX_DEPTH
from headrace.messages.events import MAX_SHOWN, MOST, EventType

_DAY_MS: Final = 86_400_000
_LONG_EVERY: Final = 1_000
"""Records, of which one is as large as may be: as hundreds of the others."""
_REQUIRED: Final = ("event_id", "type", "user_id", "timestamp", "item_id")
_WRONG: Final[dict[str, tuple[Any, ...]]] = {
    "event_id": (7, ["e"], {}, True),
    "user_id": (7, ["u"], {}, False),
    "timestamp": ("2026-01-05", "2026-01-05T10:00:00+01:00", "1767571200000", [1], True, 1.5),
    "item_id": (7, ["i"], {}),
    "quantity": ("2", 1.5, [1]),
    "price": ("9.99", [1], True),
    "channel": (7, ["web"], {}),
    "context": ("web", [1], 0, True),
}
_BEYOND: Final[dict[str, tuple[Any, ...]]] = {
    "event_id": ("", "e" * 129),
    "user_id": ("", "u" * 129),
    "item_id": ("", "i" * 129),
    "timestamp": (-1, 0, 1_767_571_200, 1_767_571_200.0, 253_402_300_800_000, 1_767_571_200_000_000, 10**18),
    "quantity": (-3, -2.0, MOST + 1, 1e300),
    "price": (-0.01, MOST * 2.0),
    "rating": (0.5, 5.5, -1),
    "items": (["i"] * (MAX_SHOWN + 1), ["i", ""]),
}


def good_event(random: Random, number: int, now_ms: int) -> dict[str, Any]:
    """An event that keeps the contract."""
    return {
        "event_id": f"e{number}",
        "type": "purchase",
        "user_id": f"u{random.randrange(1_000)}",
        "timestamp": now_ms - random.randrange(_DAY_MS),
        "item_id": f"i{random.randrange(500)}",
        "quantity": random.randint(1, 5),
        "price": round(random.uniform(1, 99), 2),
        "channel": random.choice(["web", "app", "büro"]),
        "context": {"device": "phone", "visits": random.randrange(9)},
    }


def malformed(n: int, seed: int, now_ms: int, most_bytes: int) -> Iterator[Malformed]:
    """`n` records, each broken in one of many ways; nothing of the decoder is asked.

    Args:
        now_ms: about when they will be appended.
        most_bytes: of a value.
    """
    random = Random(seed)
    long = list(LONG.values())
    for number in range(n):
        event = good_event(random, number, now_ms)
        if number % _LONG_EVERY == 0:
            yield long[number // _LONG_EVERY % len(long)](event, most_bytes)
        else:
            yield random.choice(_DEFECTS)(random, event, now_ms)


def _cut(random: Random, event: dict[str, Any], _: int) -> Malformed:
    whole = as_json(event)
    return because(whole[: random.randrange(len(whole))], Reason.INVALID_JSON)


def _trailing(random: Random, event: dict[str, Any], _: int) -> Malformed:
    return because(as_json(event) + random.choice([b"}", b"x", b",{}", b" {}", b"\x00"]), Reason.INVALID_JSON)


def _noise(random: Random, _: dict[str, Any], __: int) -> Malformed:
    """An open brace, so that no accident makes JSON of it."""
    return because(b"{" + random.randbytes(random.randint(1, 200)), Reason.INVALID_JSON, Reason.NOT_UTF8)


def _bad_character(random: Random, event: dict[str, Any], _: int) -> Malformed:
    whole = as_json(event)
    at = whole.index(b'"u') + 2
    return because(whole[:at] + random.choice([b"\xff", b"\xc3", b"\xed\xa0\x80"]) + whole[at:], Reason.NOT_UTF8)


def _no_number(random: Random, event: dict[str, Any], _: int) -> Malformed:
    value = random.choice([float("nan"), float("inf"), float("-inf")])
    return because(as_json({**event, "price": value}), Reason.INVALID_JSON)


def _no_object(random: Random, event: dict[str, Any], _: int) -> Malformed:
    return because(json.dumps(random.choice([[event], "text", 7, 1.5, True])).encode(), Reason.WRONG_TYPE)


def _nothing(_: Random, __: dict[str, Any], ___: int) -> Malformed:
    return because(None, Reason.MISSING_FIELD)


def _field_missing(random: Random, event: dict[str, Any], _: int) -> Malformed:
    name = random.choice(_REQUIRED)
    without = {key: value for key, value in event.items() if key != name}
    return because(as_json(random.choice([without, {**event, name: None}])), Reason.MISSING_FIELD)


def _field_of_its_type_missing(random: Random, event: dict[str, Any], _: int) -> Malformed:
    kind = random.choice([EventType.IMPRESSION, EventType.SEARCH, EventType.IDENTIFY])
    return because(as_json({**event, "type": kind}), Reason.MISSING_FIELD)


def _wrong_type(random: Random, event: dict[str, Any], _: int) -> Malformed:
    name = random.choice(list(_WRONG))
    return because(as_json({**event, name: random.choice(_WRONG[name])}), Reason.WRONG_TYPE)


def _out_of_range(random: Random, event: dict[str, Any], _: int) -> Malformed:
    name = random.choice(list(_BEYOND))
    return because(as_json({**event, name: random.choice(_BEYOND[name])}), Reason.OUT_OF_RANGE)


def _unknown_type(random: Random, event: dict[str, Any], _: int) -> Malformed:
    return because(as_json({**event, "type": random.choice(["", "Purchase", "buy", "x" * 99])}), Reason.UNKNOWN_TYPE)


def _foreign(random: Random, event: dict[str, Any], _: int) -> Malformed:
    return random.choice(FOREIGN)(event)


def _in_future(random: Random, event: dict[str, Any], now_ms: int) -> Malformed:
    ahead = random.randint(30, 900) * _DAY_MS
    return because(as_json({**event, "timestamp": now_ms + ahead}), Reason.TIMESTAMP_IN_FUTURE)


def _too_deep(random: Random, event: dict[str, Any], _: int) -> Malformed:
    depth = MAX_DEPTH + random.randint(1, 200)
    whole = as_json(event)
    return because(whole[:-1] + b',"extra":' + b"[" * depth + b"]" * depth + b"}", Reason.INVALID_JSON)


_DEFECTS: Final[tuple[Callable[[Random, dict[str, Any], int], Malformed], ...]] = (
    _cut,
    _trailing,
    _noise,
    _bad_character,
    _no_number,
    _no_object,
    _nothing,
    _field_missing,
    _field_of_its_type_missing,
    _wrong_type,
    _out_of_range,
    _unknown_type,
    _in_future,
    _too_deep,
    _foreign,
)
