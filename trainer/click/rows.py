"""What click models of a table read: categories of its fields, and numbers with the fields' click rates among them."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from streams.messages.wire import Floats, Ints
from trainer.click.features import FieldEncoder
from trainer.click.field_rates import rates_after, rates_within
from trainer.data.click_table import ClickTable

_RATED: Final = 5
"""Categories that a field must have for its click rates to be worth two columns."""


class Rows(NamedTuple):
    """M impressions, F fields, G numbers."""

    category: Ints  # [M, F]
    number: Floats  # [M, G]
    clicked: Floats  # [M]


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
    rated = [seen.category[:, field] for field in np.flatnonzero(encoder.sizes >= _RATED)]
    within = [rates_within(value, train.clicked) for value in rated]
    rows: list[Rows] = []
    for table in later:
        encoded = encoder.encode(table)
        values = encoded.category[:, encoder.sizes >= _RATED].T
        after = [rates_after(value, train.clicked, other) for value, other in zip(rated, values, strict=True)]
        rows.append(Rows(encoded.category, np.concatenate([encoded.number, *after], axis=1), table.clicked))
    return encoder.sizes, Rows(seen.category, np.concatenate([seen.number, *within], axis=1), train.clicked), rows
