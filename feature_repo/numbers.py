"""Sums that a row can hold."""

from typing import Final

MOST: Final = 2**62


def saturated(total: int) -> int:
    """A sum of what is not negative, stopped at the most a row can hold; the order of adding leaves no trace."""
    return min(total, MOST)
