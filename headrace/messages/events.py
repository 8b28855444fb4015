"""What comes in on `events`: one struct for every type, as the contract lists its fields."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

Id = Annotated[str, Meta(min_length=1, max_length=128)]
#: The end of the year 9999.
LAST_MS = 253_402_300_799_999
TimestampMs = Annotated[int, Meta(ge=0, le=LAST_MS)]

#: Text that counts as absent when it is empty.
Text = Annotated[str, Meta(min_length=1)]
#: A number as a context holds it; an integer beyond 64 bits becomes a float.
Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | float
Context = dict[str, str | Number]

MAX_SHOWN = 500

#: Of a quantity and of a price: beyond it a number is a mistake.
MOST = 1_000_000_000

#: Characters of a title; a longer one is cut.
MAX_TITLE = 4_000


class EventType(StrEnum):
    """What a shopper did, or was shown."""

    IMPRESSION = "impression"
    VIEW = "view"
    CLICK = "click"
    ADD_TO_CART = "add_to_cart"
    REMOVE_FROM_CART = "remove_from_cart"
    PURCHASE = "purchase"
    RETURN = "return"
    SEARCH = "search"
    REVIEW = "review"
    IDENTIFY = "identify"


class Event(Struct, frozen=True, kw_only=True):
    """One event of a shopper; `explored` are those of an impression's `items` that chance alone chose to show.

    Times are event time in ms since 1970 UTC.
    """

    event_id: Id
    type: EventType
    user_id: Id
    timestamp: TimestampMs
    item_id: Id | None = None
    items: Annotated[list[Id], Meta(min_length=1, max_length=MAX_SHOWN)] | None = None
    request_id: Text | None = None
    session_id: Text | None = None
    channel: Text = "web"
    quantity: Annotated[int, Meta(ge=1, le=MOST)] = 1
    price: Annotated[float, Meta(ge=0, le=MOST)] | None = None
    query: str | None = None
    rating: Annotated[float, Meta(ge=1, le=5)] | None = None
    text: str | None = None
    user_ids: list[Id] | None = None
    context: Context | None = None
    explored: list[Id] | None = None


#: The field, beyond those every event has, without which a type means nothing.
NEEDED: dict[EventType, str] = {
    EventType.IMPRESSION: "items",
    EventType.VIEW: "item_id",
    EventType.CLICK: "item_id",
    EventType.ADD_TO_CART: "item_id",
    EventType.REMOVE_FROM_CART: "item_id",
    EventType.PURCHASE: "item_id",
    EventType.RETURN: "item_id",
    EventType.REVIEW: "item_id",
    EventType.SEARCH: "query",
    EventType.IDENTIFY: "user_ids",
}
