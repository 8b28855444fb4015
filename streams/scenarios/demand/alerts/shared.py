"""Demand that many items share: a surge or a slump of a category or the shop is no news about each of its items.

An item's forecast is scaled by how the other items of its category, or of the shop, do in the same window, where that
is itself far from what was expected. Only items that sell regularly tell how others do: of the rest one hears only when
they sell. Those of one partition stand for all.
"""

from collections import defaultdict
from collections.abc import Iterable
from math import log, log10
from typing import Final, NamedTuple

from feature_repo.items.scopes import CategoriesOf, scopes_of
from streams.scenarios.demand.alerts.anomaly import Moments
from streams.scenarios.demand.alerts.episodes import weigh

_LEAST_ITEMS: Final = 5
_UNUSUAL: Final = 3.0
"""Anomaly score, -log10 of a probability, from which a group's demand counts as shared news."""


class Sales(NamedTuple):
    """What an item that sells regularly sold in a window, and what was expected."""

    item_id: str
    units: int
    expected: Moments


class _Group(NamedTuple):
    items: int = 0
    units: int = 0
    mean: float = 0.0
    variance: float = 0.0

    def plus(self, sales: Sales, sign: int = 1) -> "_Group":
        return _Group(
            self.items + sign,
            self.units + sign * sales.units,
            self.mean + sign * sales.expected.mean,
            self.variance + sign * sales.expected.variance,
        )


class SharedDemand:
    """The groups of one window whose demand is unusual as a whole."""

    def __init__(self, window: Iterable[Sales], categories_of: CategoriesOf) -> None:
        self._categories_of = categories_of
        self._sales = {sales.item_id: sales for sales in window}
        groups: defaultdict[str, _Group] = defaultdict(_Group)
        if len(self._sales) >= _LEAST_ITEMS:
            for sales in self._sales.values():
                for scope in scopes_of(categories_of(sales.item_id)):
                    groups[scope] = groups[scope].plus(sales)
        self._unusual = {scope: group for scope, group in groups.items() if _is_unusual(group)}

    def scaled(self, item_id: str, expected: Moments) -> Moments:
        """What to expect of an item, given how the others do."""
        if not self._unusual:
            return expected
        factors = [self._factor(scope, item_id) for scope in scopes_of(self._categories_of(item_id))]
        factor = max(factors, key=lambda factor: abs(log(factor)))
        if factor == 1.0:
            return expected
        widened = expected.variance * max(factor, factor**2)
        return Moments(
            expected.mean * factor, widened, expected.high * factor, max(expected.fall * factor, expected.fall)
        )

    def _factor(self, scope: str, item_id: str) -> float:
        """How far the others of a group part from what was expected of them."""
        group, own = self._unusual.get(scope), self._sales.get(item_id)
        if group is None:
            return 1.0
        others = group.plus(own, -1) if own else group
        return (others.units + 1) / (others.mean + 1) if _is_unusual(others) else 1.0


def _is_unusual(group: _Group) -> bool:
    if group.items < _LEAST_ITEMS - 1:
        return False
    evidence = weigh(group.units, 1, Moments(group.mean, max(group.variance, group.mean * (1 + 1e-9))))
    return -log10(evidence.tail) >= _UNUSUAL
