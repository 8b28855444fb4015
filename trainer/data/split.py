"""The one split in time: what lies before it is learnt from, what lies after decides when to stop and how it measures.

Made once for a stream and handed to every fit, so that no head learns from what another one is measured on.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.errors import TooLittleData
from trainer.data.shop import Sequences

_TRAINED_ON: Final = 0.9
"""Share of wanted events, oldest first, that is learnt from."""


def time_split(sequences: Sequences) -> int:
    """The time (ms) from which on everything is held back.

    Raises:
        TooLittleData: nothing in the stream shows what a shopper wanted.
    """
    wanted = sequences.wanted
    if not wanted.any():
        raise TooLittleData("the stream holds no view, click, add_to_cart or purchase; train on one that does")
    return int(np.quantile(sequences.time[wanted], _TRAINED_ON))


def seen_before(sequences: Sequences, split: int, items: int) -> NDArray[np.bool_]:
    """Which items the part that is learnt from shows at all. [N]"""
    return np.bincount(sequences.item[sequences.time < split], minlength=items) > 0
