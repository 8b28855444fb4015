"""The simulated shop's visitors: what they like, when they come, and how likely they click."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.recordings.simulation.shop import FOLLOWER_WEIGHTS, Floats, Ints, Shop
from streams.recordings.simulation.vocabulary import CATEGORIES

HOUR_MS: Final = 3_600_000
VISITS_A_DAY: Final = 0.42
SHORTEST_PAUSE_MS: Final = 2 * HOUR_MS
#: Visits by hour of the day: asleep at night, busiest after supper.
_HOURS: Final = np.array([2, 1, 1, 1, 1, 2, 4, 6, 7, 7, 7, 8, 9, 8, 7, 7, 8, 9, 11, 13, 14, 13, 9, 5], float)
#: And by day of the week, Monday first.
_DAYS: Final = np.array([0.9, 0.9, 0.95, 1.0, 1.05, 1.25, 1.2])

PAGES: Final = ("home", "search", "category", "item")
DEVICES: Final = ("desktop", "mobile", "tablet")
_PAGE_LIFT: Final = np.array([0.0, 0.7, 0.2, 0.4])
_DEVICE_LIFT: Final = np.array([0.0, -0.3, 0.1])


class Shoppers(NamedTuple):
    """U shoppers, C categories, three brands a category."""

    taste: Floats  # [U, C] standard normal, a few categories far above
    brand_taste: Floats  # [U, C, 3]
    style_taste: Floats  # [U, C, 4]
    price_level: Floats  # [U] log of how much dearer than the median they like it
    activity: Floats  # [U] mean 1
    device: Ints  # [U] index into DEVICES
    has_app: NDArray[np.bool_]  # [U]


def invite(rng: np.random.Generator, users: int) -> Shoppers:
    """Draw the shoppers."""
    categories = len(CATEGORIES)
    taste = 0.5 * rng.standard_normal((users, categories))
    loved = rng.random((users, categories)).argsort(axis=1)[:, :2]
    np.put_along_axis(taste, loved, 2.2, axis=1)
    device = rng.choice(3, users, p=[0.4, 0.5, 0.1])
    return Shoppers(
        taste=taste,
        brand_taste=rng.standard_normal((users, categories, 3)),
        style_taste=rng.standard_normal((users, categories, 4)),
        price_level=0.4 * rng.standard_normal(users),
        activity=rng.gamma(1.5, 1 / 1.5, users),
        device=device,
        has_app=(device == 1) & (rng.random(users) < 0.6),
    )


def shopper_id(user: int) -> str:
    """The id of a shopper by number."""
    return f"user-{user + 1:04d}"


def relevance(shop: Shop, shoppers: Shoppers, user: int) -> Floats:
    """How much a shopper cares for each item, [browsed], about -2 to 4."""
    n = shop.browsed
    category, brand, style = shop.category[:n], shop.brand[:n], shop.style[:n]
    usual = np.array([c.price for c in CATEGORIES])[category]
    dearer = np.log(shop.price[:n] / usual) - shoppers.price_level[user]
    return (
        shoppers.taste[user, category]
        + 0.4 * shoppers.brand_taste[user, category, brand]
        + 0.4 * shoppers.style_taste[user, category, style]
        + 0.3 * shop.quality
        - 0.6 * np.abs(dearer)
    )


def click_probabilities(liking: Floats, draws: Floats, page: int, device: int) -> Floats:
    """The probability of a click on each item shown, [N], in the order shown.

    Seen (less likely the further down) and wanted (by liking and by what was looked at last) are independent.

    Args:
        liking: relevance of each item shown, [N].
        draws: weight of each item as a follower of the item looked at last, [N].
        page: index into PAGES.
        device: index into DEVICES.
    """
    seen = 1.0 / (1.0 + 0.15 * np.arange(len(liking)))
    wanted = -3.1 + 1.1 * liking + 4.0 * draws + _PAGE_LIFT[page] + _DEVICE_LIFT[device]
    return seen / (1.0 + np.exp(-wanted))


def follower_draws(shop: Shop, last: int, shown: Ints) -> Floats:
    """How strongly the item looked at last draws to each item shown, [N]; zeros when there was none (-1)."""
    if last < 0:
        return np.zeros(len(shown))
    return (shown[:, None] == shop.followers[last]) @ FOLLOWER_WEIGHTS


class Visits(NamedTuple):
    """V visits in order of time."""

    user: Ints  # [V]
    start: Ints  # [V] ms


def plan_visits(rng: np.random.Generator, shoppers: Shoppers, start: int, days: int) -> Visits:
    """Draw who comes when; nobody comes again within two hours."""
    counts = rng.poisson(shoppers.activity * VISITS_A_DAY * days)
    user = np.repeat(np.arange(len(counts)), counts)
    hour = rng.choice(24 * days, len(user), p=hourly_share(days))
    time = start + hour * HOUR_MS + rng.integers(0, HOUR_MS, len(user))
    order = np.lexsort((time, user))
    user, time = user[order], time[order]
    again = np.zeros(len(user), bool)
    again[1:] = (user[1:] == user[:-1]) & (time[1:] - time[:-1] < SHORTEST_PAUSE_MS)
    user, time = user[~again], time[~again]
    order = np.lexsort((user, time))
    return Visits(user[order], time[order])


def hourly_share(days: int) -> Floats:
    """Each hour's share of all visits, [24 * days]; the first day is a Monday."""
    hour = np.arange(24 * days)
    weight = _HOURS[hour % 24] * _DAYS[(hour // 24) % 7]
    return weight / weight.sum()
