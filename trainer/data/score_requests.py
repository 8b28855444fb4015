"""Moments of the training stream as the requests that a worker would send for them."""

from collections.abc import Sequence

import numpy as np
import torch
from msgspec import Struct

from feature_repo.basics.identity import NO_ITEM
from headrace.arrays import CONTEXT, HISTORY, Int32s, Ints, ScoreTensors, sent
from model_repo.headrace.items import Tensors
from trainer.data.shop import Sequences, Shop


class Case(Struct, frozen=True):
    """A moment of a shopper: what the model may know, what must not be recommended, and what was wanted then."""

    history: slice  # of the sequences
    now: int
    exclude: int  # item hash or NO_ITEM
    relevant: frozenset[int]  # item hashes


def request_of(shop: Shop, cases: Sequence[Case], width: int) -> ScoreTensors:
    """The request that a worker would send for these moments to a model of a width."""
    n = len(cases)
    item, action, time = _histories(shop.sequences, shop.item_hash, cases)
    nothing = np.array([NO_ITEM], np.int64)
    return ScoreTensors(
        history_item=item,
        history_action=action,
        history_time=time,
        now=np.array([case.now for case in cases], np.int64),
        context=np.zeros((n, CONTEXT), np.int64),
        recommend=np.ones(n, np.int32),
        exclude=np.array([[case.exclude] for case in cases], np.int64),
        withdrawn=nothing,
        extra_item=nothing,
        extra_vector=np.zeros((1, width), np.float32),
        boost_item=nothing,
        boost=np.zeros(1, np.float32),
        candidate_item=nothing,
        candidate_row=np.zeros(1, np.int32),
        candidate_position=np.zeros(1, np.int32),
    )


def _histories(sequences: Sequences, hashes: Ints, cases: Sequence[Case]) -> tuple[Ints, Int32s, Ints]:
    item, time = (np.zeros((len(cases), HISTORY), np.int64) for _ in range(2))
    action = np.zeros((len(cases), HISTORY), np.int32)
    for row, case in enumerate(cases):
        n = case.history.stop - case.history.start
        item[row, HISTORY - n :] = hashes[sequences.item[case.history]]
        action[row, HISTORY - n :], time[row, HISTORY - n :] = (
            sequences.code[case.history],
            sequences.time[case.history],
        )
    return item, action, time


def as_tensors(tensors: ScoreTensors) -> Tensors:
    """A request as the scorer takes it."""
    return {name: torch.from_numpy(array) for name, array in sent(tensors).items()}
