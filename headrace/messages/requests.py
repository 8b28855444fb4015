"""What comes in on `score.requests`: a list of items to score for a shopper."""

from typing import Annotated

from msgspec import Meta, Struct

from headrace.messages.events import MAX_SHOWN, Context, Id, TimestampMs


class ScoreRequest(Struct, frozen=True, kw_only=True):
    """Asks for the click probability of each item, in the order given."""

    request_id: str
    user_id: Id
    timestamp: TimestampMs
    items: Annotated[list[Id], Meta(min_length=1, max_length=MAX_SHOWN)]
    context: Context | None = None
