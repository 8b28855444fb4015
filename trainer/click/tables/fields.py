"""Columns of a click table as a model takes them: categories with an unknown one, numbers in quantile bins."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headrace.arrays import Floats, Ints
from trainer.data.click_table import Column

UNKNOWN: Final = 0
"""The category of every value that was seen too seldom to be learnt about, or never."""
_BINS: Final = 32
_NUMERIC_SHARE: Final = 0.95
_LEAST_DISTINCT: Final = 10
_MISSING: Final = frozenset({"", "na", "n/a", "nan", "null", "none", "\\n", "?"})
#: Seconds since 1970 of 1990 and 2060: numbers between them, or a thousand times them, are taken for moments.
_MOMENTS: Final = (631_152_000, 2_840_140_800)
_HOUR, _DAY = 3600, 86_400


class Categories(NamedTuple):
    """The values of a column that are frequent enough, in order of their category; category 0 is the rest."""

    values: list[str]

    @classmethod
    def of(cls, column: Column, least: int) -> "Categories":
        """Those that stand in at least `least` of the rows."""
        often = np.bincount(column.code, minlength=len(column.values)) >= least
        return cls([column.values[place] for place in np.flatnonzero(often)])

    def encode(self, column: Column) -> Ints:
        """Category of each cell. [M]"""
        known = {value: category for category, value in enumerate(self.values, 1)}
        return np.array([known.get(value, UNKNOWN) for value in column.values], np.int64)[column.code]

    def __len__(self) -> int:
        return len(self.values) + 1


class Numbers(NamedTuple):
    """Quantiles of a numeric column: robust to outliers, and a value beyond all of training counts as the outermost."""

    edges: NDArray[np.float64]  # [Q] ascending, distinct
    middle: float
    scale: float

    @classmethod
    def of(cls, number_M: NDArray[np.float64]) -> "Numbers":
        """From training's numbers, NaN for a missing one."""
        there = number_M[~np.isnan(number_M)]
        edges = np.unique(np.quantile(there, np.linspace(0, 1, _BINS + 1)))
        size = _signed_log(np.clip(there, edges[0], edges[-1]))
        return cls(edges, float(size.mean()), float(size.std() + 1e-6))

    def encode(self, number_M: NDArray[np.float64]) -> tuple[Ints, Floats]:
        """Bin of each number [M], and its rank among training's and log size [M, 2]; all 0 for a missing one."""
        missing = np.isnan(number_M)
        within = np.clip(np.where(missing, self.edges[0], number_M), self.edges[0], self.edges[-1])
        bin_M = np.where(missing, UNKNOWN, np.searchsorted(self.edges[1:-1], within, side="right") + 1)
        rank = np.interp(within, self.edges, np.linspace(-1, 1, len(self.edges)))
        size = (_signed_log(within) - self.middle) / self.scale
        dense = np.stack([rank, size], axis=1) * ~missing[:, None]
        return bin_M.astype(np.int64), dense.astype(np.float32)

    def __len__(self) -> int:
        return max(1, len(self.edges) - 1) + 1


def numbers_of(column: Column) -> NDArray[np.float64]:
    """Each cell as a number, a date as seconds since 1970; NaN where it is none. [M]"""
    return column.numbers[column.code]


def is_numeric(column: Column) -> bool:
    """Whether nearly all cells that are not empty are numbers or dates, and many different ones."""
    count = np.bincount(column.code, minlength=len(column.values))
    there = np.array([value.strip().lower() not in _MISSING for value in column.values]) & (count > 0)
    number = ~np.isnan(column.numbers) & there
    return number.sum() >= _LEAST_DISTINCT and count[number].sum() >= _NUMERIC_SHARE * count[there].sum()


def clock_unit(number_M: NDArray[np.float64]) -> int | None:
    """How many of a column's units are a second, where its numbers are times since 1970; None for other numbers."""
    middle = np.nanmedian(number_M)
    return next((unit for unit in (1, 1000) if _MOMENTS[0] * unit <= middle <= _MOMENTS[1] * unit), None)


def moments(number_M: NDArray[np.float64], unit: int) -> tuple[Ints, Ints]:
    """Hour of the day and day of the week of times since 1970, 0 where missing. [M], [M]"""
    there = ~np.isnan(number_M)
    second = np.where(there, number_M, 0) / unit
    hour, day = (second % _DAY // _HOUR + 1) * there, (second // _DAY % 7 + 1) * there
    return hour.astype(np.int64), day.astype(np.int64)


def _signed_log(number: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sign(number) * np.log1p(np.abs(number))
