"""What a worker would leave out of the lists of training moments: the rule `auto`, by the whole sequences."""

from collections.abc import Sequence

import numpy as np

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.basics.identity import NO_ITEM
from feature_repo.shoppers.exclusion import MOMENT_MS, without_repeats
from feature_repo.shoppers.shopper import REMEMBERED
from headrace.arrays import Ints
from model_repo.headrace.items import Tensors
from trainer.data.score_requests import Case
from trainer.data.shop import Shop

_PURCHASE, _RETURN = ACTION_CODE["purchase"], ACTION_CODE["return"]


def repeats_of(arrays: Tensors) -> Ints:
    """Hashes of the items that a version says are bought again, ascending."""
    hashes: Ints = arrays["item_hash"].numpy()
    return hashes[arrays["repeats"].numpy() > 0]


def exclusions(shop: Shop, cases: Sequence[Case], repeats: Ints) -> Ints:
    """Item hashes that each moment leaves out, NO_ITEM where there are fewer. [U, X]

    Args:
        repeats: hashes of the items that are bought again, ascending.
    """
    left_out = [_left_out(shop, case, repeats) for case in cases]
    exclude = np.full((len(cases), max([1, *map(len, left_out)])), NO_ITEM, np.int64)
    for row, some in enumerate(left_out):
        exclude[row, : len(some)] = some
    return exclude


def listable(shop: Shop, cases: Sequence[Case], repeats: Ints) -> list[Case]:
    """The moments at which a list may hold something that was wanted."""
    return [case for case in cases if not case.relevant <= frozenset(_left_out(shop, case, repeats).tolist())]


def _left_out(shop: Shop, case: Case, repeats: Ints) -> Ints:
    sequences, end = shop.sequences, case.history.stop
    begin = int(sequences.start[np.searchsorted(sequences.start, end - 1, side="right") - 1]) if end else 0
    if case.history.start == end:
        begin = end
    item, action, time = sequences.item[begin:end], sequences.action[begin:end], sequences.time[begin:end]
    recent = slice(case.history.start - begin, None)
    bought = item[action == _PURCHASE]
    _, first = np.unique(bought, return_index=True)
    bought = bought[np.sort(first)][-REMEMBERED:]
    returned = item[recent][action[recent] == _RETURN]
    owned = without_repeats(shop.item_hash[np.append(bought, returned)], repeats)
    bought_recently = shop.item_hash[item[recent][time[recent] > case.now - MOMENT_MS]]
    return np.unique(np.concatenate([[case.exclude], owned, bought_recently]))
