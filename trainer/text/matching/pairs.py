"""Items that shoppers take up together: what the text encoder learns closeness from."""

from typing import Final, NamedTuple

import numpy as np

from feature_repo.shoppers.shopper import SESSION_GAP_MS
from headrace.arrays import Ints
from trainer.data.shop import Sequences
from trainer.data.windows import NO_TARGET, next_items

_MOST_HELD_BACK: Final = 2_000


class Pairs(NamedTuple):
    """Item rows [n, 2] of one session, one taken up next after the other, in time order."""

    train: Ints
    held_back: Ints


def session_pairs(sequences: Sequences, split: int) -> Pairs:
    """Pairs within a session; those from `split` (ms) on are held back, thinned evenly."""
    targets = next_items(sequences)
    together = (targets.item != NO_TARGET) & (targets.time - sequences.time <= SESSION_GAP_MS)
    pairs = np.stack([sequences.item, targets.item], axis=1)[together]
    later = targets.time[together] >= split
    held_back = pairs[later]
    return Pairs(pairs[~later], held_back[:: max(1, len(held_back) // _MOST_HELD_BACK)])
