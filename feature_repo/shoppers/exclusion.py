"""What a shopper is not recommended: read from the row online and from the whole sequence in training, by one rule.

A repeat purchase is a matter of the shop: whether what was bought stays in lists is learnt (`trainer.evaluation`)
and answered by the served version, item by item.
"""

from typing import Final

import numpy as np

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.basics.identity import packed_hash
from feature_repo.shoppers.recent import Recent
from feature_repo.shoppers.shopper import ShopperState
from headrace.arrays import Ints

MOMENT_MS: Final = 5 * 60_000
"""What a shopper had to do with so lately stands before their eyes, and is no recommendation."""
_RETURN: Final = ACTION_CODE["return"]


def recent_items(recent: Recent, now: int) -> bytes:
    """Hashes of the items that a shopper had to do with in the last minutes before `now` (ms), 8 bytes each."""
    at, first = recent.start + sum(recent.gaps), len(recent)
    while first and at > now - MOMENT_MS:
        first -= 1
        at -= recent.gaps[first]
    return b"".join([packed_hash(item_id) for item_id in dict.fromkeys(recent.items[first:])])


def bought_items(state: ShopperState) -> bytes:
    """Hashes of what a shopper has bought, 8 bytes each; what they sent back too, for they have seen enough of it."""
    if _RETURN not in state.recent.actions:
        return state.bought
    returned = (
        item for item, action in zip(state.recent.items, state.recent.actions, strict=True) if action == _RETURN
    )
    return state.bought + b"".join([packed_hash(item_id) for item_id in returned])


def without_repeats(bought: Ints, repeats: Ints) -> Ints:
    """Of what was bought, 0 in place of what is bought again in this shop. [X]

    Args:
        repeats: hashes of the items that are bought again, ascending.
    """
    if not len(repeats):
        return bought
    at = np.searchsorted(repeats, bought).clip(max=len(repeats) - 1)
    return np.where(repeats[at] == bought, 0, bought)
