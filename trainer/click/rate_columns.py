"""Columns of click rates: of each many-valued field, and of what a shopper or an item meets in other fields."""

from itertools import product
from typing import Final, NamedTuple

import numpy as np

from headrace.arrays import Floats, Ints
from trainer.click.tables.field_rates import rates_after, rates_within

_RATED: Final = 5
"""Categories that a field must have for its click rates to be worth two columns."""
_CATEGORY_RANGE: Final = (3, 1_500)
"""Least and most categories of a field that is paired: fewer say little, of more each pair is seen too seldom."""
_PAIRS: Final = 16
"""Pairs kept at most, those whose rate tells most about a click beyond that of the shopper or the item alone."""
_USER, _ITEM = 0, 1


class _Key(NamedTuple):
    """One field, or two together, as codes of what training shows; one more code is for everything else."""

    fields: tuple[int, ...]
    known: Ints  # ascending
    sizes: Ints  # [F]

    @classmethod
    def of(cls, fields: tuple[int, ...], sizes: Ints, category_MF: Ints) -> "_Key":
        return cls(fields, np.unique(_join(fields, sizes, category_MF)), sizes)

    def code(self, category_MF: Ints) -> Ints:
        joined = _join(self.fields, self.sizes, category_MF)
        place = np.searchsorted(self.known, joined).clip(max=len(self.known) - 1)
        return np.where(self.known[place] == joined, place, len(self.known))


class RateColumns:
    """Rates that training rows give, for themselves and for later rows; field 0 is the user, field 1 the item."""

    def __init__(self, sizes: Ints, category_MF: Ints, clicked_M: Floats) -> None:
        self._category, self._clicked = category_MF, clicked_M
        single = [_Key.of((int(field),), sizes, category_MF) for field in np.flatnonzero(sizes >= _RATED)]
        met = [field for field in range(2, len(sizes)) if _CATEGORY_RANGE[0] <= sizes[field] <= _CATEGORY_RANGE[1]]
        meetings = [(_USER, _ITEM), *product((_USER, _ITEM), met)]
        pairs = [_Key.of(fields, sizes, category_MF) for fields in meetings]
        gains = [self._gain(key) for key in pairs]
        best = np.argsort(gains, kind="stable")[::-1][:_PAIRS]
        self._keys = single + [pairs[place] for place in sorted(best)]

    def within(self) -> Floats:
        """Of the training rows, each without its own fold. [M, 2R]"""
        columns = [rates_within(key.code(self._category), self._clicked) for key in self._keys]
        return np.concatenate([np.zeros((len(self._clicked), 0), np.float32), *columns], axis=1)

    def after(self, later_KF: Ints) -> Floats:
        """Of later rows, over all training rows. [K, 2R]"""
        columns = [rates_after(key.code(self._category), self._clicked, key.code(later_KF)) for key in self._keys]
        return np.concatenate([np.zeros((len(later_KF), 0), np.float32), *columns], axis=1)

    def _gain(self, key: _Key) -> float:
        """Correlation of a click with what the pair's rate adds to that of its first field."""
        pair = rates_within(key.code(self._category), self._clicked)[:, 0]
        added = pair - rates_within(self._category[:, key.fields[0]], self._clicked)[:, 0]
        spread = float(added.std() * self._clicked.std())
        return float(np.mean((added - added.mean()) * (self._clicked - self._clicked.mean()))) / max(spread, 1e-9)


def _join(fields: tuple[int, ...], sizes: Ints, category_MF: Ints) -> Ints:
    joined = category_MF[:, fields[0]]
    for field in fields[1:]:
        joined = joined * sizes[field] + category_MF[:, field]
    return joined
