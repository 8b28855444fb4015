"""An item as the catalogue describes it: the packed row, and the one text that stands for an item everywhere.

The row is a function of the item's newest record alone, as a compacted topic demands: what came before leaves no trace.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct

from feature_repo.basics import money
from feature_repo.basics.schema import reader
from headrace.messages.items import Item

#: What the model derives from a row. It differs between versions, so it is no part of what a stream says.
DERIVED: Final = ("text_vector", "encoder_version")


class CatalogueItem(Struct, array_like=True, forbid_unknown_fields=True):
    """All catalogue features of an item.

    Attributes:
        price_cents: as `money` holds a price, -1 for none.
        timestamp: ms, as the shop gave it; -1 for none.
        text_vector: float32 vector of `item_text`, empty until a model has made one.
        encoder_version: what made it and of which text (`stamp`).
    """

    title: str = ""
    description: str = ""
    brand: str = ""
    categories: list[str] = []
    price_cents: int = -1
    available: bool = False
    withdrawn: bool = False
    timestamp: int = -1
    text_vector: bytes = b""
    encoder_version: str = ""


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_read = reader(CatalogueItem)


def pack(state: CatalogueItem) -> bytes:
    """The row's bytes: equal states give equal bytes."""
    return _encoder.encode(state)


def unpack(packed: bytes) -> CatalogueItem:
    """The inverse of `pack`; no bytes give an item that the catalogue lacks."""
    return _read(packed)


def from_item(item: Item) -> CatalogueItem:
    """The row of a record of `items`."""
    return CatalogueItem(
        title=item.title,
        description=item.description or "",
        brand=item.brand or "",
        categories=list(item.categories or ()),
        price_cents=money.held(item.price),
        available=item.available,
        timestamp=-1 if item.timestamp is None else item.timestamp,
    )


def withdrawn() -> CatalogueItem:
    """The row of an item whose newest record is a null value."""
    return CatalogueItem(withdrawn=True)


def item_text(title: str, description: str | None, brand: str | None, categories: Sequence[str] | None) -> str:
    """What the text encoder reads, in training and when an item is new."""
    parts = (title, brand, ", ".join(categories or ()), description)
    return ". ".join(stripped for part in parts if part and (stripped := part.strip()))


def stamp(encoder: int, text: str) -> str:
    """Names a text vector by what it was made by and of. A version's number would not do: numbers begin again.

    Args:
        encoder: hash of the encoder's weights and tokenizer, as the served version tells it.
    """
    return f"{encoder & 0xFFFFFFFFFFFFFFFF:016x}-{blake2b(text.encode('utf-8', 'replace'), digest_size=8).hexdigest()}"
