"""Whether reasons are true: what becomes of an item's place when the event given as its reason is taken out.

An event's effect is measured by asking again without it: how much of an item's lead over the mean item goes.
Shape letters: K places, k events of a history, R reasons.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from msgspec import Struct
from torch import Tensor

from feature_repo.basics.identity import NO_ITEM
from headrace.arrays import HISTORY, Floats, Ints
from headrace.errors import UsageError
from model_repo.headrace.items import Tensors
from model_repo.headrace.reasons import eligible_events
from model_repo.headrace.returning import repurchase_boost
from model_repo.headrace.scorer import ServedScorer
from trainer.data.score_requests import Case, as_tensors, request_of
from trainer.data.shop import Shop, read_shop
from trainer.data.split import time_split
from trainer.evaluation.moments import next_item_cases
from trainer.publishing.exported import load_recommender
from trainer.training_loop.fit import OnProgress

_MOMENTS: Final = 500
_HISTORIES: Final = ("history_item", "history_action", "history_time")


class ReasonedList(NamedTuple):
    """One list's reasons, and what each event of the history truly did. Events are counted from the oldest, 0.

    Attributes:
        row: rows of the listed items in the shop. [K]
        event: events given as reasons, -1 for none. [K, R]
        effect: of an item's lead over the mean item, what goes with an event. [K, k]
        eligible: events that may be a reason. [k]
        item: rows of the events' items. [k]
    """

    row: Ints
    event: Ints
    effect: Floats
    eligible: Ints
    item: Ints


class Faithfulness(Struct, frozen=True):
    """Shares of list entries whose shopper has two events or more; null where there is no such entry.

    Attributes:
        beats_random: without the first reason's event the item falls further than without another, drawn by lot.
        beats_newest: likewise than without the newest event, where that is another.
        same_category: the first reason's item has a category of the entry's, or its event does more for the entry than
            any event of those categories. Null where items have no categories.
        duplicates: entries that name one item twice.
        negative: reasons without whose event the item would not fall.
        reasons: reasons given, of the shopper's events.
        first_newest: first reasons that are the newest event.
    """

    beats_random: float | None
    beats_newest: float | None
    same_category: float | None
    duplicates: float | None
    negative: float | None
    moments: int
    entries: int
    reasons: int
    first_newest: float | None


def measure_reasons(stream: Path, model: Path, seed: int, on_progress: OnProgress) -> Faithfulness:
    """Hold a trained model's reasons against histories of a stream's last tenth, each event taken out in turn.

    Raises:
        UsageError: no such stream or model, or nothing wanted in the last tenth.
    """
    scorer = load_recommender(model)
    shop = read_shop(stream, lambda n: on_progress("read", n, 0, "records"))
    cases = next_item_cases(shop, time_split(shop.sequences))
    if not cases:
        raise UsageError(f"--stream {stream}: nobody wants an item in its last tenth; give a longer stream")
    return faithfulness(scorer, shop, cases[:: -(-len(cases) // _MOMENTS)], seed, on_progress)


def faithfulness(
    scorer: ServedScorer, shop: Shop, cases: Sequence[Case], seed: int, on_progress: OnProgress
) -> Faithfulness:
    """Measure the reasons of the lists at some moments. Args: seed: draws the other events."""
    count = _Count(shop, np.random.default_rng(seed))
    for done, case in enumerate(cases, 1):
        reasoned = explained(scorer, shop, case)
        if reasoned.effect.shape[1] > 1:
            count.add(reasoned)
        on_progress("taking events out", done, len(cases), "moments")
    return count.shares(len(cases))


def explained(scorer: ServedScorer, shop: Shop, case: Case) -> ReasonedList:
    """The list at a moment, its reasons, and the effect of every event on every entry."""
    tensors = as_tensors(request_of(shop, [case], scorer.arrays["item_vector"].shape[1]))
    known = case.history.stop - case.history.start
    with torch.inference_mode():
        answer = scorer.score(tensors)
        present = answer["rec_item"][0] != NO_ITEM
        item = answer["rec_item"][0][present]
        lead = leads(scorer, without_each(tensors, known), item)
        eligible = eligible_events(tensors["history_action"][0, HISTORY - known :])
    event = answer["reason_event"][0][present].numpy()
    return ReasonedList(
        np.searchsorted(shop.item_hash, item.numpy()),
        np.where(event < 0, -1, event - (HISTORY - known)),
        (lead[:, :1] - lead[:, 1:]).numpy(),
        np.flatnonzero(eligible.numpy()),
        shop.sequences.item[case.history],
    )


def without_each(tensors: Tensors, known: int) -> dict[str, Tensor]:
    """One history as it is, then without each of its `known` events, oldest first: older events move up. [1 + k, L]"""
    rows: dict[str, list[Tensor]] = {name: [tensors[name][0]] for name in _HISTORIES}
    for event in range(HISTORY - known, HISTORY):
        for name, made in rows.items():
            whole = tensors[name][0]
            made.append(torch.cat([whole.new_zeros(1), whole[:event], whole[event + 1 :]]))
    return {**{name: torch.stack(made) for name, made in rows.items()}, "now": tensors["now"].expand(1 + known)}


def leads(scorer: ServedScorer, tensors: Tensors, item: Tensor) -> Tensor:
    """By how much items outdo the catalogue's mean item for each history. [K, B]"""
    items, lookup = scorer.items, scorer.items.nothing_new
    row_BL = items.rows(lookup, tensors["history_item"])
    history = tensors["history_action"], tensors["history_time"], tensors["now"]
    user_BD = scorer.encode(items.vectors(lookup, row_BL), *history)[0]
    boost_BL = repurchase_boost(*history, scorer.arrays["again"])
    row_K = items.rows(lookup, item)
    again_KB = ((row_K.view(-1, 1, 1) == row_BL) * boost_BL).sum(dim=2)
    return (items.vectors(lookup, row_K) - items.mean_vector) @ user_BD.T + again_KB - boost_BL.sum(dim=1) / len(items)


class _Count:
    """Counts entries as they come."""

    def __init__(self, shop: Shop, random: np.random.Generator) -> None:
        self._categories = [frozenset(some) for some in shop.categories]
        self._random = random
        self._beats_random: list[bool] = []
        self._beats_newest: list[bool] = []
        self._same_category: list[bool] = []
        self._newest: list[bool] = []
        self._twice: list[bool] = []
        self._negative: list[bool] = []

    def add(self, reasoned: ReasonedList) -> None:
        """Count one list."""
        newest = reasoned.effect.shape[1] - 1
        for row, event, effect in zip(reasoned.row, reasoned.event, reasoned.effect, strict=True):
            reasons = [int(one) for one in event if one >= 0]
            self._negative += [bool(effect[one] <= 0) for one in reasons]
            self._twice.append(len({int(reasoned.item[one]) for one in reasons}) < len(reasons))
            if not reasons:
                continue
            first = reasons[0]
            other = int(self._random.integers(newest))
            self._beats_random.append(bool(effect[first] > effect[other + (other >= first)]))
            self._newest.append(first == newest)
            if first != newest:
                self._beats_newest.append(bool(effect[first] > effect[newest]))
            if self._categories[row]:
                self._same_category.append(self._explains(reasoned, int(row), first, effect))

    def _explains(self, reasoned: ReasonedList, row: int, first: int, effect: Floats) -> bool:
        theirs = self._categories[row]
        alike = [one for one in reasoned.eligible if self._categories[reasoned.item[one]] & theirs]
        return first in alike or effect[first] > max((effect[one] for one in alike), default=-np.inf)

    def shares(self, moments: int) -> Faithfulness:
        """What was counted."""
        return Faithfulness(
            _mean(self._beats_random),
            _mean(self._beats_newest),
            _mean(self._same_category),
            _mean(self._twice),
            _mean(self._negative),
            moments,
            len(self._twice),
            len(self._negative),
            _mean(self._newest),
        )


def _mean(found: Sequence[bool]) -> float | None:
    return round(float(np.mean(found)), 4) if found else None
