"""A click table as the arrays that click models read: categories of its fields, and numbers."""

from typing import Final, NamedTuple

import numpy as np

from headrace.arrays import Floats, Ints
from trainer.click.tables.fields import UNKNOWN, Categories, Numbers, clock_unit, is_numeric, moments, numbers_of
from trainer.data.click_table import ClickTable

_KEPT_SHARE: Final = 0.05
"""Share of rows whose value must be frequent enough, or the values are no categories."""
_HOURS: Final = 24
_WEEK: Final = 7


class Encoded(NamedTuple):
    """M impressions, F fields, G numbers."""

    category: Ints  # [M, F]  category in its field
    number: Floats  # [M, G]  about -3 to 3


class FieldEncoder:
    """What training rows tell about the columns, and how any rows become features by it.

    Attributes:
        sizes: categories of each field, [F]; the user and the item are the first two fields.
    """

    def __init__(self, train: ClickTable, least: int, ids: tuple[str, str]) -> None:
        """Look at the training rows; a value that stands in fewer than `least` of them is unknown."""
        self._categories: dict[str, Categories] = {}
        self._numbers: dict[str, Numbers] = {}
        self._clocks: dict[str, int] = {}
        for name in dict.fromkeys([*ids, *train.columns]):
            column = train.columns[name]
            if name not in ids and is_numeric(column):
                numbers = numbers_of(column)
                self._numbers[name] = Numbers.of(numbers)
                if unit := clock_unit(numbers):
                    self._clocks[name] = unit
            kept = Categories.of(column, least)
            if name in self._clocks:
                continue  # a moment never comes back
            if name in ids or (kept.encode(column) != UNKNOWN).mean() >= _KEPT_SHARE:
                self._categories[name] = kept
        sizes = [*map(len, self._categories.values()), *map(len, self._numbers.values())]
        self.sizes: Ints = np.array(sizes + [_HOURS + 1, _WEEK + 1] * len(self._clocks), np.int64)

    def encode(self, table: ClickTable) -> Encoded:
        """Turn rows into features."""
        fields = [categories.encode(table.columns[name]) for name, categories in self._categories.items()]
        dense = [np.zeros((len(table.clicked), 0), np.float32)]
        for name, numbers in self._numbers.items():
            bins, pair = numbers.encode(numbers_of(table.columns[name]))
            fields.append(bins)
            dense.append(pair)
        for name, unit in self._clocks.items():
            fields.extend(moments(numbers_of(table.columns[name]), unit))
        return Encoded(np.stack(fields, axis=1), np.concatenate(dense, axis=1))
