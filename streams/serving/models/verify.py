"""Answers of served models, held against the wire contract before anything is made of them. Pure.

A version may have been trained by another release, or be anybody's own code under the model's name: what it answers is
input from outside. What does not fit is the model's fault and answered from popularity, and no event pays for it.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_repo.basics.identity import NO_ITEM
from headrace.arrays import (
    DEMAND_QUANTILES,
    DEMAND_SPAN,
    HISTORY,
    POPULAR,
    REASONS,
    TOP_K,
    DemandAnswer,
    DemandTensors,
    DescribeAnswer,
    DescribeTensors,
    ScoreAnswer,
    ScoreTensors,
)
from headrace.errors import WrongAnswer

NO_OUTPUT: Final = "no_output"
SHAPE: Final = "shape"
VALUE: Final = "value"
ITEMS: Final = "items"
"""Classes of faults, as metrics count them; and `failed`: an error in place of an answer."""

Array = NDArray[np.generic]
Flags = NDArray[np.bool_]

_LISTS: Final[Mapping[str, tuple[type[np.generic], tuple[int, ...]]]] = {
    "rec_item": (np.int64, ()),
    "rec_score": (np.float32, ()),
    "rec_ctr": (np.float32, ()),
    "reason_event": (np.int32, (REASONS,)),
    "reason_weight": (np.float32, (REASONS,)),
    "reason_part": (np.float32, (2,)),
}
"""Of each place of a list."""


class Checked(NamedTuple):
    """A "score" answer of which everything that is not marked may be used.

    Attributes:
        answer: of the right shapes; zeros where a whole output is of no use.
        bad_lists, bad_rates: shoppers whose list, or whose candidates' click rates, are of no use. [B]
        faults: the first of each class, in words.
    """

    answer: ScoreAnswer
    bad_lists: Flags
    bad_rates: Flags
    faults: dict[str, str]


def check_scored(answer: ScoreAnswer, request: ScoreTensors) -> Checked:
    """Find what of an answer may be used.

    Raises:
        WrongAnswer: not even whose answer it is can be told.
    """
    _is_of("encoder", answer.encoder, np.int64, (1,))
    count = len(request.now)
    length = int(request.list_length[0]) if request.list_length.size else TOP_K
    faults: dict[str, str] = {}
    lists = {name: (kind, (count, length, *shape)) for name, (kind, shape) in _LISTS.items()}
    if not _fits(answer, lists, faults):
        answer = answer._replace(**{name: np.zeros(shape, kind) for name, (kind, shape) in lists.items()})
        bad_lists = np.ones(count, np.bool_)
    else:
        bad_lists = _bad_lists(answer, request, faults)
    rates = {"ctr": (np.float32, request.candidate_item.shape)}
    if not _fits(answer, rates, faults):
        answer = answer._replace(ctr=np.zeros(request.candidate_item.shape, np.float32))
        bad_rates = np.ones(count, np.bool_)
    else:
        bad_rates = _bad_rates(answer, request, faults)
    return Checked(answer, bad_lists, bad_rates, faults)


def check_described(answer: DescribeAnswer, request: DescribeTensors) -> DescribeAnswer:
    """The answer, if all of it may be used.

    Raises:
        WrongAnswer: naming the output that may not.
    """
    _is_of("encoder", answer.encoder, np.int64, (1,))
    _is_of("known", answer.known, np.uint8, request.probe_item.shape)
    _is_of("popular", answer.popular, np.int64, (POPULAR,))
    if answer.repeats.size:
        _is_of("repeats", answer.repeats, np.uint8, request.probe_item.shape)
    width = answer.text_vector.shape[1] if answer.text_vector.ndim == 2 else 1
    _is_of("text_vector", answer.text_vector, np.float32, (len(request.text_length), width))
    if not width or not np.isfinite(answer.text_vector).all():
        raise WrongAnswer(VALUE, "its output text_vector holds numbers that are none")
    return answer


def check_forecast(answer: DemandAnswer, request: DemandTensors) -> DemandAnswer:
    """Likewise, of a demand model.

    Raises:
        WrongAnswer: naming the output that may not.
    """
    quantiles = answer.quantiles
    horizon = max(quantiles.shape[1], DEMAND_SPAN) if quantiles.ndim == 3 else DEMAND_SPAN
    _is_of("quantiles", quantiles, np.float32, (len(request.window_start), horizon, len(DEMAND_QUANTILES)))
    if not np.isfinite(quantiles).all():
        raise WrongAnswer(VALUE, "its output quantiles holds numbers that are none")
    return answer


def _fits(
    answer: ScoreAnswer, wanted: Mapping[str, tuple[type[np.generic], tuple[int, ...]]], faults: dict[str, str]
) -> bool:
    try:
        for name, (kind, shape) in wanted.items():
            _is_of(name, getattr(answer, name), kind, shape)
    except WrongAnswer as wrong:
        faults.setdefault(wrong.fault, str(wrong))
        return False
    return True


def _is_of(name: str, array: Array, kind: type[np.generic], shape: tuple[int, ...]) -> None:
    if array.size == 0:
        raise WrongAnswer(NO_OUTPUT, f"it answers without the output {name}")
    if array.dtype != kind or array.shape != shape:
        raise WrongAnswer(
            SHAPE, f"its output {name} is {array.dtype} {array.shape}, where {np.dtype(kind)} {shape} is due"
        )


def _bad_lists(answer: ScoreAnswer, request: ScoreTensors, faults: dict[str, str]) -> Flags:
    """Whose list holds what none may. [B]"""
    there = answer.rec_item != NO_ITEM
    wanted = request.recommend > 0
    bad = _none(len(wanted))
    for name in ("rec_score", "reason_weight", "reason_part"):
        bad |= _note(
            ~_finite(getattr(answer, name), there) & wanted, VALUE, f"{name} holds numbers that are none", faults
        )
    event = answer.reason_event
    bad |= _note(_out(event, -1, HISTORY - 1) & wanted, VALUE, "reason_event names no event of a history", faults)
    rate = answer.rec_ctr
    absent = np.isnan(rate)
    odd = there & (absent if _has_rates(answer.rec_ctr[wanted], there[wanted]) else False)
    odd |= there & ~absent & ~((rate >= 0) & (rate <= 1))
    bad |= _note(odd.any(axis=1) & wanted, VALUE, "rec_ctr holds numbers that are no probabilities", faults)
    listed = np.sort(answer.rec_item, axis=1)
    twice = ((listed[:, 1:] == listed[:, :-1]) & (listed[:, 1:] != NO_ITEM)).any(axis=1)
    return bad | _note(twice & wanted, ITEMS, "rec_item names an item twice", faults)


def _bad_rates(answer: ScoreAnswer, request: ScoreTensors, faults: dict[str, str]) -> Flags:
    """Whose candidates have click rates that are none. [B]"""
    rate, mine = answer.ctr, request.candidate_item != NO_ITEM
    absent = np.isnan(rate)
    some = mine.any() and not absent[mine].all()
    odd = mine & (absent if some else False) | mine & ~absent & ~((rate >= 0) & (rate <= 1))
    bad = _none(len(request.now))
    bad[request.candidate_row[odd]] = True
    return _note(bad, VALUE, "ctr holds numbers that are no probabilities", faults)


def _has_rates(rate: Array, there: Flags) -> bool:
    """Whether the version has a click head: without one, all rates are NaN."""
    return bool(there.any()) and not bool(np.isnan(rate[there]).all())


def _finite(values: Array, there: Flags) -> Flags:
    """Whose listed items have finite values. [B]"""
    finite = np.isfinite(values)
    if finite.all():
        return ~_none(len(there))
    finite = finite.reshape(*there.shape, -1).all(axis=2)
    return np.all(finite | ~there, axis=1)


def _out(values: Array, low: int, high: int) -> Flags:
    if values.size and values.min() >= low and values.max() <= high:  # pyright: ignore[reportOperatorIssue]
        return _none(len(values))
    return ((values < low) | (values > high)).reshape(len(values), -1).any(axis=1)  # pyright: ignore[reportOperatorIssue]


def _note(bad: Flags, fault: str, detail: str, faults: dict[str, str]) -> Flags:
    if bad.any():
        faults.setdefault(fault, f"its output {detail}")
    return bad


def _none(count: int) -> Flags:
    return np.zeros(count, np.bool_)
