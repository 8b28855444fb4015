"""Questions of a chunk to the tensors of one request, and the tensors of its answer back to one answer a question."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any, Final

import numpy as np

from feature_repo.context import context_hashes
from feature_repo.history import cells, hashes, write_histories
from feature_repo.identity import NO_ITEM, item_hash
from streams.engine.context_blocks import Surroundings
from streams.engine.questions import NO_LIST, Answer, Listed, Question
from streams.messages.outputs import ModelRef
from streams.messages.wire import CONTEXT, HISTORY, Floats, Ints, ScoreAnswer, ScoreTensors

_AT_ONCE: Final = 32
"""Lists that are made plain numbers of in one go. Those of a whole load are a hundred thousand numbers, and out of a
core's cache before they are said; one by one they cost most of all."""
_DECIMALS: Final = 6
_RATE_DECIMALS: Final = 8


def to_tensors(questions: Sequence[Question], shop: Surroundings) -> ScoreTensors:
    """Assemble one request for all questions of a chunk. Pure."""
    n = len(questions)
    history_item = np.zeros((n, HISTORY), np.int64)
    history_action = np.zeros((n, HISTORY), np.int32)
    history_time = np.zeros((n, HISTORY), np.int64)
    context = np.zeros((n, CONTEXT), np.int64)
    write_histories([q.recent for q in questions], history_item, history_action, history_time)
    pairs = [context_hashes(q.channel, q.cause.context) for q in questions]
    context[cells(list(map(len, pairs)))] = list(chain.from_iterable(pairs))
    candidates = [(item_hash(i), row, at) for row, q in enumerate(questions) for at, i in enumerate(q.candidates)]
    flat = np.array(candidates or [(NO_ITEM, 0, 0)], np.int64)
    return ScoreTensors(
        history_item,
        history_action,
        history_time,
        now=np.array([q.cause.timestamp for q in questions], np.int64),
        context=context,
        recommend=np.array([q.recommend for q in questions], np.int32),
        exclude=_exclusions(questions),
        candidate_item=np.ascontiguousarray(flat[:, 0]),
        candidate_row=np.ascontiguousarray(flat[:, 1], np.int32),
        candidate_position=np.ascontiguousarray(flat[:, 2], np.int32),
        **shop._asdict(),
    )


def to_answers(
    questions: Sequence[Question], tensors: ScoreAnswer, model: ModelRef, fallbacks: Sequence[str | None]
) -> Iterator[Answer]:
    """Cut one answer's tensors into an answer a question, each made when it is asked for. Pure.

    Raises:
        IndexError: at once, where the tensors are of more or fewer questions.
    """
    wanted = np.array([question.recommend for question in questions], np.bool_)
    rows = np.arange(len(tensors.rec_item))[wanted]
    lists = chain.from_iterable(_lists(tensors, rows[at : at + _AT_ONCE]) for at in range(0, len(rows), _AT_ONCE))
    rates = iter(_plain(tensors.ctr, _RATE_DECIMALS))
    return (
        Answer(
            next(lists) if question.recommend else NO_LIST,
            list(islice(rates, len(question.candidates))),
            model,
            fallback,
        )
        for question, fallback in zip(questions, fallbacks, strict=True)
    )


def _lists(tensors: ScoreAnswer, wanted: Ints) -> Iterator[Listed]:
    """The lists of some questions."""
    part = tensors.reason_part[wanted]
    columns = (
        tensors.rec_item[wanted].tolist(),
        _plain(tensors.rec_score[wanted]),
        _plain(tensors.rec_ctr[wanted], _RATE_DECIMALS),
        tensors.reason_event[wanted].transpose(0, 2, 1).tolist(),
        _plain(tensors.reason_weight[wanted].transpose(0, 2, 1)),
        part.argmax(2).tolist(),
        _plain(part.max(2)),
    )
    return map(Listed, *columns)


def _plain(array: Floats, decimals: int = _DECIMALS) -> Any:
    """Nested lists of numbers that are short to write: float32 knows no more digits."""
    return np.round(array.astype(np.float64), decimals).tolist()


def _exclusions(questions: Sequence[Question]) -> Ints:
    lengths = [len(q.exclude) // 8 for q in questions]
    exclude = np.zeros((len(questions), max(1, *lengths)), np.int64)
    exclude[cells(lengths)] = hashes(b"".join([q.exclude for q in questions]))
    return exclude
