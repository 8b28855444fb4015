"""Actions as small integers, in an order that stored rows and trained models rely on: append only."""

from typing import Final

ACTIONS: Final[tuple[str, ...]] = (
    "none",
    "view",
    "click",
    "add_to_cart",
    "remove_from_cart",
    "purchase",
    "return",
    "review",
    "search",
    "impression",
    "identify",
)
ACTION_CODE: Final[dict[str, int]] = {name: code for code, name in enumerate(ACTIONS)}

#: What enters a shopper's recent items: something done to one item.
ITEM_ACTIONS: Final[frozenset[str]] = frozenset(ACTIONS[1:8])
