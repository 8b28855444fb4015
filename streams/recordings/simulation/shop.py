"""The simulated shop's goods: what there is, what it costs, what is popular and what follows what."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.recordings.outgoing import NewItem
from streams.recordings.simulation.vocabulary import CATEGORIES, Category

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLLOWERS: Final = 4
#: How strongly each of an item's followers draws a shopper who has just looked at the item.
FOLLOWER_WEIGHTS: Final = np.array([0.5, 0.25, 0.15, 0.1])


class Shop(NamedTuple):
    """All goods: I items, the first `browsed` for shoppers to find, the rest staples that passers-by buy."""

    items: list[NewItem]
    browsed: int
    category: Ints  # [I] index into CATEGORIES
    style: Ints  # [I] index into the category's styles
    brand: Ints  # [I] index into the category's brands
    price: Floats  # [I]
    popularity: Floats  # [browsed] sums to 1
    quality: Floats  # [browsed] standard normal
    followers: Ints  # [browsed, FOLLOWERS]


def open_shop(rng: np.random.Generator, items: int, staples: int) -> Shop:
    """Stock a shop with `items` goods, the last `staples` of them for passers-by."""
    browsed = items - staples
    category = np.concatenate([np.arange(browsed) % len(CATEGORIES), np.full(staples, len(CATEGORIES) - 1)])
    style, brand = rng.integers(0, 4, items), rng.integers(0, 3, items)
    median = np.array([c.price for c in CATEGORIES])[category]
    price: Floats = np.round(median * np.exp(0.4 * rng.standard_normal(items)), 2).astype(np.float64)
    rank = rng.permutation(browsed) + 3
    popularity = rank**-0.8
    return Shop(
        items=[
            _describe(rng, number, CATEGORIES[category[number]], (int(style[number]), int(brand[number])), cost)
            for number, cost in enumerate(price.tolist())
        ],
        browsed=browsed,
        category=category,
        style=style,
        brand=brand,
        price=price,
        popularity=popularity / popularity.sum(),
        quality=rng.standard_normal(browsed),
        followers=_followers(rng, category[:browsed], style[:browsed]),
    )


def _followers(rng: np.random.Generator, category: Ints, style: Ints) -> Ints:
    """Three of the same category, of the same style where there are enough, and one of the next category."""
    count = len(category)
    followers = np.empty((count, FOLLOWERS), np.int64)
    for item in range(count):
        near = (category == category[item]) * 2.0 + ((category == category[item]) & (style == style[item]))
        near[item] = -1.0
        order = np.argsort(-near + rng.random(count) * 0.5)
        beside = rng.permutation(np.flatnonzero(category == (category[item] + 1) % len(CATEGORIES)))
        followers[item] = [*order[:2], *beside[:1], *order[2:]][:FOLLOWERS]
    return followers


def _describe(
    rng: np.random.Generator, number: int, category: Category, style_brand: tuple[int, int], price: float
) -> NewItem:
    style, brand = category.styles[style_brand[0]], category.brands[style_brand[1]]
    good, detail = rng.choice(category.goods), rng.choice(category.details)
    return NewItem(
        item_id=f"item-{number + 1:04d}",
        title=f"{brand} {style} {good}, {detail}",
        description=f"A {style} {good} for {category.name}, {detail}.",
        brand=brand,
        categories=[category.name],
        price=price,
    )
