"""A malformed record, and what makers of them share."""

import json
from typing import Any, NamedTuple

from headrace.errors import Reason


class Malformed(NamedTuple):
    """The value of a record, and which reasons are right."""

    value: bytes | None
    reasons: frozenset[Reason]


def because(value: bytes | None, *reasons: Reason) -> Malformed:
    """A value, and the reasons that are right for it."""
    return Malformed(value, frozenset(reasons))


def as_json(value: Any, *, plain: bool = True) -> bytes:
    """JSON as it may come: with what UTF-8 cannot hold, too."""
    return json.dumps(value, ensure_ascii=plain).encode("utf-8", "surrogatepass")
