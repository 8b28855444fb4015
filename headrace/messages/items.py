"""What comes in on `items`: the catalogue, one record an item, a null or empty value for a withdrawn one."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from headrace.messages.events import LAST_MS, MAX_TITLE, MOST, Id

MOST_BOOST: Final = 10


class Item(Struct, frozen=True, kw_only=True):
    """An item as the shop describes it.

    Each point of `boost` doubles its odds in lists; it comes first in lists for an item of a category in `pinned_for`.
    """

    item_id: Id
    title: Annotated[str, Meta(min_length=1, max_length=MAX_TITLE)]
    description: str | None = None
    brand: str | None = None
    categories: list[str] | None = None
    price: Annotated[float, Meta(ge=0, le=MOST)] | None = None
    available: bool = True
    timestamp: Annotated[int, Meta(ge=1, le=LAST_MS)] | None = None
    boost: Annotated[float, Meta(ge=0, le=MOST_BOOST)] | None = None
    pinned_for: list[str] | None = None


class Withdrawn(Struct, frozen=True):
    """The item is no longer in the catalogue."""

    item_id: str
