"""What click models of a table read: categories of its fields, and numbers with click rates among them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from headrace.arrays import Floats, Ints
from trainer.click.features import FieldEncoder
from trainer.click.rate_columns import RateColumns
from trainer.data.click_table import ClickTable


class Rows(NamedTuple):
    """M impressions, F fields, G numbers."""

    category: Ints  # [M, F]
    number: Floats  # [M, G]
    clicked: Floats  # [M]

    def newest(self, most: int) -> "Rows":
        """The last rows, at most so many."""
        return Rows(self.category[-most:], self.number[-most:], self.clicked[-most:])


def learnable_rows(
    train: ClickTable, later: Sequence[ClickTable], least: int, ids: tuple[str, str]
) -> tuple[Ints, Rows, list[Rows]]:
    """Sizes of the fields [F], the training rows, and later ones, all by what the training rows alone tell.

    Args:
        least: a value that stands in fewer training rows is unknown.
        ids: names of the user and the item column.
    """
    encoder = FieldEncoder(train, least, ids)
    seen = encoder.encode(train)
    rates = RateColumns(encoder.sizes, seen.category, train.clicked)
    rows = Rows(seen.category, np.concatenate([seen.number, rates.within()], axis=1), train.clicked)
    after: list[Rows] = []
    for table in later:
        found = encoder.encode(table)
        number = np.concatenate([found.number, rates.after(found.category)], axis=1)
        after.append(Rows(found.category, number, table.clicked))
    return encoder.sizes, rows, after
