"""Questions of a batch to the tensors of one request, and the tensors of its answer back to one answer a question."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Final

import numpy as np

from feature_repo.basics.identity import NO_ITEM, item_hash
from feature_repo.shoppers.context import context_hashes
from feature_repo.shoppers.exclusion import without_repeats
from feature_repo.shoppers.history import cells, hashes, write_histories
from headrace.arrays import CONTEXT, HISTORY, PARTS, Floats, Ints, ScoreAnswer, ScoreTensors
from headrace.messages.outputs import ModelRef
from streams.serving.catalogue.context import BOOST_POINT
from streams.serving.catalogue.context_blocks import CatalogueContext
from streams.serving.shopper_scorer.queries import NO_ITEMS_RANKED, RankedItems, ShopperQuery, ShopperResult

_AT_ONCE: Final = 32
"""Lists that are made plain numbers of in one go. Those of a whole batch are a hundred thousand numbers, and out of a
core's cache before they are encoded; one by one they cost most of all."""
_DESCRIPTION: Final = PARTS.index("description")
_DECIMALS: Final = 6
_RATE_DECIMALS: Final = 8


def to_tensors(queries: Sequence[ShopperQuery], shop: CatalogueContext, repeats: Ints | None = None) -> ScoreTensors:
    """Assemble one request for all questions of a batch. Pure.

    Args:
        repeats: hashes of the items that are bought again, ascending; None where the version does not tell: what was
            bought stays in its lists, as it did before.
    """
    n = len(queries)
    history_item = np.zeros((n, HISTORY), np.int64)
    history_action = np.zeros((n, HISTORY), np.int32)
    history_time = np.zeros((n, HISTORY), np.int64)
    context = np.zeros((n, CONTEXT), np.int64)
    write_histories([q.recent for q in queries], history_item, history_action, history_time)
    pairs = [context_hashes(q.channel, q.input.context) for q in queries]
    context[cells(list(map(len, pairs)))] = list(chain.from_iterable(pairs))
    candidates = [(item_hash(i), row, at) for row, q in enumerate(queries) for at, i in enumerate(q.candidates)]
    flat = np.array(candidates or [(NO_ITEM, 0, 0)], np.int64)
    return ScoreTensors(
        history_item,
        history_action,
        history_time,
        now=np.array([q.input.timestamp for q in queries], np.int64),
        context=context,
        recommend=np.array([q.recommend for q in queries], np.int32),
        exclude=_exclusions(queries, repeats),
        candidate_item=np.ascontiguousarray(flat[:, 0]),
        candidate_row=np.ascontiguousarray(flat[:, 1], np.int32),
        candidate_position=np.ascontiguousarray(flat[:, 2], np.int32),
        **shop._asdict(),
    )


def to_results(
    queries: Sequence[ShopperQuery], tensors: ScoreAnswer, model: ModelRef, fallbacks: Sequence[str | None]
) -> Iterator[ShopperResult]:
    """Cut one answer's tensors into a result a query, each made when it is asked for. Pure.

    Raises:
        IndexError: at once, where the tensors are of more or fewer questions.
    """
    wanted = np.array([query.recommend for query in queries], np.bool_)
    rows = np.arange(len(tensors.rec_item))[wanted]
    lists = chain.from_iterable(_lists(tensors, rows[at : at + _AT_ONCE]) for at in range(0, len(rows), _AT_ONCE))
    rates = iter(_plain(tensors.ctr, _RATE_DECIMALS))
    return (
        ShopperResult(
            _cut(next(lists), query.rule.length) if query.recommend else NO_ITEMS_RANKED,
            list(islice(rates, len(query.candidates))),
            model,
            fallback,
        )
        for query, fallback in zip(queries, fallbacks, strict=True)
    )


def without_boosts(answer: ScoreAnswer, boosted: Mapping[int, float]) -> ScoreAnswer:
    """The answer without the shop's own boosts in what popularity added: they are reasons of their own."""
    if not boosted:
        return answer
    keys = np.array(sorted(boosted), np.int64)
    points = np.array([boosted[key] for key in keys.tolist()], np.float32)
    at = np.searchsorted(keys, answer.rec_item).clip(max=len(keys) - 1)
    part = answer.reason_part.copy()
    part[..., PARTS.index("popular")] -= np.where(keys[at] == answer.rec_item, BOOST_POINT * points[at], 0)
    return answer._replace(reason_part=part.astype(np.float32))


def _cut(ranked: RankedItems, length: int) -> RankedItems:
    """The first places of a list: a request is for the longest of its lists."""
    if len(ranked.items) <= length:
        return ranked
    return RankedItems(
        ranked.items[:length],
        ranked.scores[:length],
        ranked.ctrs[:length],
        [row[:length] for row in ranked.reason_events],
        [row[:length] for row in ranked.reason_weights],
        ranked.parts[:length],
        ranked.part_weights[:length],
    )


def _lists(tensors: ScoreAnswer, wanted: Ints) -> Iterator[RankedItems]:
    """The lists of some questions.

    An item's text speaks through the events it goes with: where these are reasons, only its popularity is one beside
    them.
    """
    part = tensors.reason_part[wanted]
    part[..., _DESCRIPTION] = np.where(tensors.reason_event[wanted][..., 0] >= 0, -np.inf, part[..., _DESCRIPTION])
    columns = (
        tensors.rec_item[wanted].tolist(),
        _plain(tensors.rec_score[wanted]),
        _plain(tensors.rec_ctr[wanted], _RATE_DECIMALS),
        tensors.reason_event[wanted].transpose(0, 2, 1).tolist(),
        _plain(tensors.reason_weight[wanted].transpose(0, 2, 1)),
        part.argmax(2).tolist(),
        _plain(part.max(2)),
    )
    return map(RankedItems, *columns)


def _plain(array: Floats, decimals: int = _DECIMALS) -> Any:
    """Nested lists of numbers that are short to write: float32 knows no more digits."""
    return np.round(array.astype(np.float64), decimals).tolist()


def _exclusions(queries: Sequence[ShopperQuery], repeats: Ints | None) -> Ints:
    lengths = [len(q.exclude) // 8 for q in queries]
    rows, _ = cells(lengths)
    left_out = hashes(b"".join([q.exclude for q in queries]))
    if repeats is not None and any(q.bought for q in queries):
        bought = without_repeats(hashes(b"".join([q.bought for q in queries])), repeats)
        theirs, _ = cells([len(q.bought) // 8 for q in queries])
        counts = bought != NO_ITEM
        rows, left_out = np.append(rows, theirs[counts]), np.append(left_out, bought[counts])
        order = rows.argsort(kind="stable")
        left_out = left_out[order]
        lengths = np.bincount(rows, minlength=len(queries)).tolist()
    exclude = np.zeros((len(queries), max(1, *lengths)), np.int64)
    exclude[cells(lengths)] = left_out
    return exclude
