"""Features that need the catalogue: joined when a shopper's row is read, never folded into it (rule 6)."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from feature_repo.basics import money
from feature_repo.basics.actions import ACTION_CODE
from feature_repo.items.catalogue import CatalogueItem
from feature_repo.shoppers.recent import Recent
from feature_repo.shoppers.shopper import ShopperState

HALF_LIFE_MS: Final = 7 * 86_400_000
"""An event counts half as much as one a week newer."""

#: What an action says about taste; a view is the unit.
_WEIGHT: Final[dict[int, float]] = {
    ACTION_CODE["view"]: 1.0,
    ACTION_CODE["click"]: 1.0,
    ACTION_CODE["add_to_cart"]: 3.0,
    ACTION_CODE["purchase"]: 5.0,
    ACTION_CODE["review"]: 1.0,
}


class Joined(NamedTuple):
    """What a shopper's row says beside the catalogue.

    Attributes:
        category_affinity: category → share of the shopper's weighted recent events, largest first; sums to 1.
        brand_affinity: the same for brands.
        price_level: share of catalogue prices at or under the shopper's mean price; None when either has no price.
    """

    category_affinity: dict[str, float]
    brand_affinity: dict[str, float]
    price_level: float | None


def join(state: ShopperState, catalogue: Mapping[str, CatalogueItem], prices: Sequence[float]) -> Joined:
    """Join a shopper's row with the catalogue.

    Args:
        state: the shopper.
        catalogue: rows of at least the items in `state.recent`.
        prices: catalogue prices in hundredths, ascending; all of them or a sample.
    """
    return Joined(
        category_affinity(state.recent, catalogue), brand_affinity(state.recent, catalogue), price_level(state, prices)
    )


def category_affinity(recent: Recent, catalogue: Mapping[str, CatalogueItem]) -> dict[str, float]:
    """Share of each category in what the shopper did lately; an item's weight is divided among its categories."""
    return _affinity(recent, catalogue, lambda item: item.categories)


def brand_affinity(recent: Recent, catalogue: Mapping[str, CatalogueItem]) -> dict[str, float]:
    """Share of each brand in what the shopper did lately."""
    return _affinity(recent, catalogue, lambda item: [item.brand] if item.brand else [])


def price_level(state: ShopperState, prices: Sequence[float]) -> float | None:
    """Where the mean price of what the shopper looks at stands among catalogue prices (ascending), 0 to 1."""
    if not state.price_count or not prices:
        return None
    mean = money.hundredths_of(state.price_sum, state.price_rest) / state.price_count
    return bisect_right(prices, mean) / len(prices)


def known_prices(items: Iterable[CatalogueItem]) -> list[float]:
    """Prices of items that have one and are sold, ascending, in hundredths."""
    return sorted(money.hundredths(i.price_cents) for i in items if i.price_cents != money.NO_PRICE and not i.withdrawn)


def _affinity(
    recent: Recent,
    catalogue: Mapping[str, CatalogueItem],
    labels_of: Callable[[CatalogueItem], Sequence[str]],
) -> dict[str, float]:
    if not recent:
        return {}
    # Ages count from the shopper's newest event, not from a clock: shares would be the same.
    newest = recent.times[-1]
    shares: dict[str, float] = {}
    for event in recent:
        item = catalogue.get(event.item_id)
        labels = labels_of(item) if item else ()
        weight = _WEIGHT.get(event.action, 0.0) * 0.5 ** ((newest - event.timestamp) / HALF_LIFE_MS)
        for label in labels:
            shares[label] = shares.get(label, 0.0) + weight / len(labels)
    total = sum(shares.values())
    ranked = sorted(shares.items(), key=lambda share: (-share[1], share[0]))
    return {label: weight / total for label, weight in ranked if weight > 0}
