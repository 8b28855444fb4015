"""The tensors between a worker and the served models: names, shapes and types, stated once.

Shape letters: B shoppers, L events of history, X excluded items, M candidates to score, E extra items (unknown to the
version), D model width, K recommended items, R reasons an item, W withdrawn items, T trending items, C context pairs,
P probed items, N texts, S bytes of all texts, A blocks of a context, Y blocks sent; G demand series, H windows of
history, Z horizon, Q quantiles.

Every tensor is two-dimensional or less and none that is sent is empty: a list with nothing in it is one `NO_ITEM`,
because a zero-size tensor does not survive Triton's Python backend; one of no size is not sent at all (`sent`).
Item ids travel as `feature_repo.basics.identity.item_hash`.

Model `headrace`, request "score" (all tensors of `ScoreTensors`; those from `list_length` on where lists are to be
other than a version makes them, and to no version that does not tell `repeats`):
    answers `rec_item` INT64 [B, K] (NO_ITEM where fewer remain), `rec_score` FP32 [B, K], `rec_ctr` FP32 [B, K]
    (NaN without a click head), `reason_event` INT32 [B, K, R] (position in the history, -1 for none), `reason_weight`
    FP32 [B, K, R] (how much of the lead over the catalogue's mean item is gone without that event), `reason_part` FP32
    [B, K, 2] (what each of `PARTS` of the item itself adds beyond the mean item's), `ctr` FP32 [M] (the item's average
    where nothing else is known), `encoder` INT64 [1]. Of blocks that the instance does not hold it answers their
    names, `unknown_block` INT64 [A or fewer], and nothing else.
Model `headrace`, request "describe" (`probe_item` INT64 [P], `text_bytes` UINT8 [S], `text_length` INT32 [N]):
    answers `known` UINT8 [P], `text_vector` FP32 [N, D] (ready to ride along as `extra_vector`), `popular` INT64 [100],
    `has_ctr` UINT8 [1], `encoder` INT64 [1] (a hash of what makes vectors of texts: weights and tokenizer), `repeats`
    UINT8 [P] (whether the probed item is bought again in this shop). Versions of the first release lack `repeats`.
Model `headrace_demand` (`units` FP32 [G, H] newest last, `window_start` INT64 [G] of the first window to forecast
by the shop's clock (`basics.windows`), `window_ms` INT64 [1], `item` INT64 [G], `category` INT64 [G] and `price`
FP32 [G]):
    answers `quantiles` FP32 [G, Z, Q] for the levels `DEMAND_QUANTILES`.

The catalogue context of a "score" request is what a version does not know of the shop: withdrawn items, items that are
new to it and their vectors, live popularity and the shop's own boosts, categories where lists are held to them. It is
parted into blocks, each named by a hash of its content
(`context_block`). An instance of a model keeps the blocks that it was sent lately, so a request names them all and
brings none; whichever are unknown come along with the next try (`block_sent`, and their content one after the other in
`withdrawn`, `extra_item` and `extra_vector`, `boost_item` and `boost`, `category_item` and `category`). A request that
names no block is complete in itself: those tensors are its context.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

MODEL: Final = "headrace"
DEMAND_MODEL: Final = "headrace_demand"

HISTORY: Final = 50
"""L: events of history that are sent."""
TOP_K: Final = 20
"""K: items in a recommendation, unless a request asks for more or fewer."""
REASONS: Final = 2
"""R: reasons an item, of the shopper's events."""
PARTS: Final = ("description", "popular")
"""What of an item itself adds to its score: its text, and what it scores for everyone beyond the mean item."""
CONTEXT: Final = 8
"""C: context pairs that are sent; further pairs, in order of name, are left out."""
POPULAR: Final = 100
"""Items that a version knows as its most popular."""
DEMAND_HISTORY: Final = 168
"""H: windows of demand history, a week of hours by default."""
DEMAND_SPAN: Final = 4
"""Windows that are held against their forecast together; Z, the windows that a version forecasts, is no less."""
DEMAND_QUANTILES: Final = (0.01, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Q: levels of the demand quantiles."""

WITHDRAWN_BLOCK: Final = 1
EXTRA_BLOCK: Final = 2
BOOST_BLOCK: Final = 3
CATEGORY_BLOCK: Final = 4
"""Kinds of a context's blocks: hashes alone, hashes and vectors, hashes and what is added to their scores, hashes and
those of their categories."""

Ints = NDArray[np.int64]
Int32s = NDArray[np.int32]
Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

NO_BLOCK: Final = np.zeros(1, np.int64)
NO_BLOCK_SENT: Final = np.zeros((1, 3), np.int64)
NO_ENCODER: Final = np.zeros(1, np.int64)
NOT_SENT: Final = np.zeros(0, np.int64)
UNKNOWN_REPEATS: Final = np.zeros(0, np.uint8)
"""An output that older versions lack."""
LATER_OUTPUTS: Final = frozenset({"repeats"})


class ScoreTensors(NamedTuple):
    """One "score" request; a history is right-aligned, newest event last, NO_ITEM and zeros before it."""

    history_item: Ints  # [B, L]
    history_action: Int32s  # [B, L]  feature_repo.shoppers.context.action_on_channel codes
    history_time: Ints  # [B, L]  ms
    now: Ints  # [B]  ms, event time of the cause
    context: Ints  # [B, C]  context_hash of channel and context, NO_ITEM padded
    recommend: Int32s  # [B]  1 where recommendations are wanted
    exclude: Ints  # [B, X]
    withdrawn: Ints  # [W]
    extra_item: Ints  # [E]
    extra_vector: Floats  # [E, D]
    boost_item: Ints  # [T]
    boost: Floats  # [T]  added to the score
    candidate_item: Ints  # [M]
    candidate_row: Int32s  # [M]  which shopper asks
    candidate_position: Int32s  # [M]  0-based place in the list shown
    context_block: Ints = NO_BLOCK  # [A]  names of the context's blocks; 0 alone: the tensors above are the context
    block_sent: Ints = NO_BLOCK_SENT  # [Y, 3]  name, kind and rows of the blocks that come along; zeros for none
    extra_encoder: Ints = (
        NO_ENCODER  # [1]  whose vectors the new items have; another version leaves them out; 0: its own
    )
    list_length: Int32s = NOT_SENT.astype(np.int32)  # [1]  K, 1 to 100
    diversity: Floats = NOT_SENT.astype(np.float32)  # [B], or [1] for all: 0 to 1; NaN: the version's own
    pinned: Ints = NOT_SENT  # [B, any]  come first, the best of them foremost, unless they are left out
    kept_category: Ints = NOT_SENT  # [B, any]  item_hash of the categories that a list is held to; none: any
    category_item: Ints = NOT_SENT  # [S]  items of categories, an item once for each of its categories
    category: Ints = NOT_SENT  # [S]  item_hash of the category


def sent(tensors: NamedTuple) -> dict[str, NDArray[Any]]:
    """The tensors of a request by name, without those of no size."""
    return {name: array for name, array in tensors._asdict().items() if array.size}


class ScoreAnswer(NamedTuple):
    """What a "score" request answers."""

    rec_item: Ints  # [B, K]
    rec_score: Floats  # [B, K]
    rec_ctr: Floats  # [B, K]
    reason_event: Int32s  # [B, K, R]
    reason_weight: Floats  # [B, K, R]
    reason_part: Floats  # [B, K, 2]  what each of `PARTS` of the item adds beyond the mean item's
    ctr: Floats  # [M]
    encoder: Ints = NO_ENCODER  # [1]


class DescribeTensors(NamedTuple):
    """One "describe" request."""

    probe_item: Ints  # [P]
    text_bytes: Bytes  # [S]  UTF-8 of all texts, one after the other
    text_length: Int32s  # [N]  bytes of each


class DescribeAnswer(NamedTuple):
    """What a "describe" request answers."""

    known: Bytes  # [P]
    text_vector: Floats  # [N, D]
    popular: Ints  # [100]
    has_ctr: Bytes  # [1]
    encoder: Ints  # [1]
    repeats: Bytes = UNKNOWN_REPEATS  # [P]; of no size where the version does not tell


class DemandTensors(NamedTuple):
    """One demand request."""

    units: Floats  # [G, H]
    window_start: Ints  # [G]
    window_ms: Ints  # [1]
    item: Ints  # [G]  NO_ITEM for what is no item: a category, the shop
    category: Ints  # [G]  item_hash of the narrowest category, NO_ITEM for none
    price: Floats  # [G]  paid last before `window_start`, 0 where none was told

    def pick(self, rows: slice | Ints) -> "DemandTensors":
        """Some of the series."""
        own = {name: array[rows] for name, array in self._asdict().items() if name != "window_ms"}
        return DemandTensors(**own, window_ms=self.window_ms)


class DemandAnswer(NamedTuple):
    """What a demand request answers."""

    quantiles: Floats  # [G, Z, Q]
