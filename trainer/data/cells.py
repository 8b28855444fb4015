"""Texts as numbers: plain ones, and dates as seconds since 1970."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_EPOCH: Final = datetime(1970, 1, 1)
_SHORTEST_DATE: Final = len("2020-01-01")


def parse_numbers(values: Sequence[str]) -> NDArray[np.float64]:
    """Each text as a number, NaN where it is none or not finite; as dates where none of them is a number. [V]"""
    number = np.array(pd.to_numeric(pd.Series(values, dtype=object), errors="coerce"), np.float64)
    number[~np.isfinite(number)] = np.nan
    return np.array([_seconds(text) for text in values], np.float64) if np.isnan(number).all() else number


def _seconds(text: str) -> float:
    if not text[:4].isdigit() or len(text) < _SHORTEST_DATE:
        return np.nan
    try:
        return (datetime.fromisoformat(text).replace(tzinfo=None) - _EPOCH).total_seconds()
    except ValueError:
        return np.nan
