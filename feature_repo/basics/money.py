"""Money in rows and item updates: integers, exact to a millionth of its unit, whose sums do not depend on the order.

A price is held in hundredths, as nearly all are whole numbers of them. One that is finer is held in millionths, as
-1 - millionths. A sum is hundredths and a rest in millionths, of which it has less than one hundredth; it stops at
`MOST` hundredths.
"""

from typing import Final

NO_PRICE: Final = -1
MOST: Final = 2**62
"""Hundredths that a row can hold of a sum."""
_A_HUNDREDTH: Final = 10_000
"""In millionths."""


def held(price: float | None) -> int:
    """A price as rows and item updates hold it."""
    if price is None:
        return NO_PRICE
    millionths = round(price * 1_000_000)
    hundredths, rest = divmod(millionths, _A_HUNDREDTH)
    return -1 - millionths if rest else hundredths


def plus(total: int, rest: int, price: int, quantity: int = 1) -> tuple[int, int]:
    """A sum (hundredths, and a rest in millionths) and a price that is held, so many times; no price adds nothing."""
    if price >= 0:
        total += price * quantity
    else:
        carried, rest = divmod(rest + (-1 - price) * quantity, _A_HUNDREDTH)
        total += carried
    return (total, rest) if total < MOST else (MOST, 0)


def is_paid(price: int) -> bool:
    """Whether a price that is held is above zero."""
    return price > 0 or price < NO_PRICE


def hundredths(price: int) -> int | float:
    """A price that is held in hundredths, with a fraction where it has one; -1 for none."""
    return price if price >= NO_PRICE else (-1 - price) / _A_HUNDREDTH


def hundredths_of(total: int, rest: int) -> int | float:
    """A sum in hundredths, with a fraction where it has one."""
    return total + rest / _A_HUNDREDTH if rest else total


def units(price: int) -> float:
    """A price that is held in units of money; 0 for none."""
    return max(price, 0) / 100 if price >= NO_PRICE else (-1 - price) / 1_000_000
