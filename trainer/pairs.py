"""Items that shoppers take up together: what the text encoder learns closeness from."""

from typing import Final, NamedTuple

import numpy as np

from feature_repo.shopper import SESSION_GAP_MS
from streams.messages.wire import Ints
from trainer.dataset import Sequences
from trainer.windows import NO_TARGET, next_items

_MOST_HELD_BACK: Final = 2_000


class Pairs(NamedTuple):
    """Item rows [n, 2] of one session, one taken up next after the other, in time order."""

    train: Ints
    held_back: Ints


def session_pairs(sequences: Sequences, split: int) -> Pairs:
    """Pairs within a session; those from `split` (ms) on are held back, except pairs that training shows too."""
    targets = next_items(sequences)
    together = (targets.item != NO_TARGET) & (targets.time - sequences.time <= SESSION_GAP_MS)
    pairs = np.sort(np.stack([sequences.item, targets.item], axis=1)[together], axis=1)
    later = targets.time[together] >= split
    train = pairs[~later]
    known = set(map(tuple, np.unique(train, axis=0).tolist()))
    new = [p for p in np.unique(pairs[later], axis=0).tolist() if tuple(p) not in known]
    held_back = np.array(new, np.int64).reshape(-1, 2)
    return Pairs(train, held_back[:: max(1, len(held_back) // _MOST_HELD_BACK)])
